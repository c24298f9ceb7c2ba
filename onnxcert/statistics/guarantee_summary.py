"""The guarantee in one line, for readers; `onnxcert.statistics.guarantee` has the exact wording.

The line claims at most what the exact wording claims: radii and confidence are rounded down, shares
of errors are rounded up. Derive it when printing; never store it.
"""

from __future__ import annotations

import math
from decimal import ROUND_UP, Context, Decimal
from typing import Final, NamedTuple

from onnxcert._typing import Perturbation
from onnxcert.perturbation import OnChannels
from onnxcert.sampling.tally import Component, Element
from onnxcert.statistics.correction.base import Controls
from onnxcert.statistics.guarantee import (
    VECTORS,
    describe_attack,
    describe_channels,
    round_down,
)
from onnxcert.statistics.rule import Rule

# Attacks that add no vector to the input, by the perturbation's norm.
_ROTATIONS: Final = {
    "angle": "rotation of {part} about any axis through the origin",
    "angle about an axis": "rotation of {part} about the {axis} axis",
}
# Changes with few parameters, by norm; `onnxcert.statistics.changes` has the exact words.
_UNSTORED: Final = ", without clipping or storing,"
_CHANGES: Final = {
    **{
        name: f"change of the {name} of {{part}} by up to {{size}}, up or down{_UNSTORED}"
        for name in ("exposure", "gain", "brightness", "contrast", "gamma")
    },
    "white balance": "change of the white balance of {part} by gains of L2 norm up to {size}"
    + _UNSTORED,
    "blur": f"further blur of {{part}} of variance up to {{size}} along each side{_UNSTORED}",
    "scaling": f"scaling of {{part}} about the origin by up to {{size}}, up or down{_UNSTORED}",
    "shift": f"shift of {{part}} of L2 norm up to {{size}}{_UNSTORED}",
}
_FEW_TAUS: Final = 3
_SMALLEST_ALPHA: Final = Decimal("1e-6")  # a smaller one would print a long row of nines


class Noun(NamedTuple):
    """Words for a component and for the input it belongs to."""

    one: str
    many: str
    preposition: str
    input: str


_NOUNS: Final = {
    Element.PIXEL: Noun("pixel", "pixels", "at", "image"),
    Element.POINT: Noun("point", "points", "at", "shape"),
    Element.CELL: Noun("cell of the output grid", "cells of the output grid", "at", "input"),
    Element.IMAGE: Noun("image", "images", "of", "image"),
    Element.SHAPE: Noun("shape", "shapes", "of", "shape"),
    Element.OTHER: Noun("component", "components", "at", "input"),
}


def summarise_guarantee(
    *,
    rule: Rule,
    controls: Controls,
    perturbation: Perturbation,
    unit: str,
    components: int,
    kind: str,
    radius: float | None = None,
    radii: tuple[float, float] | None = None,
    inputs: int = 1,
) -> str:
    """Return the guarantee in one line.

    Args:
        rule: the decision rule.
        controls: the error rate that the correction controls.
        perturbation: the noise.
        unit: the unit of the input, as text.
        components: N, or the largest N of several inputs.
        kind: what a component is, as text.
        radius: replaces the radius that follows from tau.
        radii: smallest and largest certified radius of a radius map; None if not known.
        inputs: number of inputs that the line is printed for.

    >>> from onnxcert.perturbation import Gaussian
    >>> facts = {"controls": "FWER", "unit": "values in [0, 1]", "components": 9, "kind": "pixels"}
    >>> line = summarise_guarantee(rule=Rule(), perturbation=Gaussian(0.25), **facts)
    >>> for part in line.split(" at "):
    ...     print(part)
    No perturbation of L2 norm up to 0.1686 changes the smoothed model's class
    a certified pixel (99.9 % confidence).
    """
    noun = name_component(kind)
    alpha = Decimal(repr(rule.alpha))
    shared = rule.alpha_scope == "dataset"
    together = f"all {rule.inputs} {noun.input}s together"
    alone = inputs == 1 and not shared
    each = "" if alone else f" of each {noun.input}"
    scope = "" if alone else f" for {together}" if shared else f" for each {noun.input}"
    confidence = f"({_describe_confidence(alpha)}{scope})"
    if rule.procedure == "predict":
        line = (
            f"The class certified {noun.preposition} a {noun.one} is the class that the smoothed "
            f"model predicts without a perturbation {confidence}; no perturbation is covered."
        )
        return _qualify(rule, line)
    attack, own = _describe_attack(rule, perturbation, unit, noun, radius, radii)
    b = rule.budget.of(components) if controls == "k-FWER" else 0
    if controls == "FDR":
        share = _percent(_round_up(alpha))
        of = f" of {together}" if shared else each
        where = f"At all certified {noun.many}{of} but an expected share of at most {share} %"
        line = f"{where}, no {attack} changes the smoothed model's class."
    elif b:
        where = f"At all but at most {b} certified {noun.many}{each}"
        line = f"{where}, no {attack} changes the smoothed model's class {confidence}."
    elif own:
        where = f"For a certified {noun.one}, no {attack} changes the smoothed model's class"
        line = f"{where} {confidence}."
    else:
        where = f"{noun.preposition} a certified {noun.one}"
        line = f"No {attack} changes the smoothed model's class {where} {confidence}."
    return _qualify(rule, line)


def _qualify(rule: Rule, line: str) -> str:
    """Say first what was chosen post hoc, because it voids the rest of the line."""
    if not rule.hindsight:
        return line
    return (
        f"NOT A CERTIFICATE, as {' and '.join(rule.hindsight)} "
        f"{'was' if len(rule.hindsight) == 1 else 'were'} chosen after the votes had been counted; "
        f"fixed beforehand it would have said: {line}"
    )


def name_component(kind: str) -> Noun:
    """Return the words for the component that a stored tally names."""
    component = Component.parse(kind)
    noun = _NOUNS[component.element]
    if not component.multilabel:
        return noun
    of = f"of {'an' if noun.one[0] in 'aeiou' else 'a'} {noun.one}"
    return Noun(f"label {of}", f"labels {of}", "for", noun.input)


def _describe_attack(
    rule: Rule,
    perturbation: Perturbation,
    unit: str,
    noun: Noun,
    radius: float | None,
    radii: tuple[float, float] | None,
) -> tuple[str, bool]:
    """Return the attack with its size, and whether the size differs between components."""
    component = noun.one.split()[0]
    if rule.radius_map:
        size = f"the {component}'s own radius"
        if radii is not None:
            size += f" ({_describe_range(perturbation, radii)})"
        return _name_attack(perturbation, unit, size), True
    if radius is not None or not rule.more_taus:
        radius = perturbation.radius(rule.tau) if radius is None else radius
        every = perturbation.norm in _ROTATIONS and radius >= math.pi
        size = "" if every else _describe_size(perturbation, radius)
        return _name_attack(perturbation, unit, size), False
    taus = sorted(rule.taus)
    if len(taus) <= _FEW_TAUS:
        size = ", ".join(
            f"{_describe_size(perturbation, perturbation.radius(tau))} for tau {tau!r}"
            for tau in taus
        )
    else:
        ends = perturbation.radius(taus[0]), perturbation.radius(taus[-1])
        size = f"{_describe_range(perturbation, ends)}, for tau {taus[0]!r} to {taus[-1]!r}"
    return _name_attack(perturbation, unit, f"the radius of the {component}'s tau ({size})"), True


def _name_attack(perturbation: Perturbation, unit: str, size: str) -> str:
    """Return the attack up to `size`; of any size if `size` is empty."""
    of, part = perturbation, ""
    if isinstance(perturbation, OnChannels):
        of, part = perturbation.of, describe_channels(perturbation)
        part = part if perturbation.called else f"the {part}"
    words, values = _ROTATIONS.get(of.norm), of.parameters()
    if of.norm in _CHANGES:
        return _CHANGES[of.norm].format(part=part or "the input", size=size)
    if words is None and not of.norm.startswith("L"):
        # An attack without short words: those of the exact wording.
        return describe_attack(perturbation, size, unit).removeprefix("every ")
    if words is None:
        named = f"perturbation of {part} with" if part else "perturbation of"
        return f"{named} {of.norm} norm up to {size}"
    turned = words.format(part=part or VECTORS[values["vectors"]], **values)
    return f"{turned} by up to {size}" if size else turned


def _describe_range(perturbation: Perturbation, radii: tuple[float, float]) -> str:
    """Return both radii, rounded down, with their unit."""
    low, high = (_describe_size(perturbation, radius) for radius in radii)
    number, _, unit = low.partition(" ")
    return low if low == high else f"{number if high.endswith(unit) else low} to {high}"


def _describe_size(perturbation: Perturbation, radius: float) -> str:
    """Return the radius, rounded down, in degrees or in the perturbation's own unit."""
    if perturbation.norm in _ROTATIONS:
        # The conversion may round up in the last place.
        degrees = math.nextafter(math.degrees(min(radius, math.pi)), 0.0)
        return f"{'180' if radius >= math.pi else round_down(degrees)} degrees"
    return f"{round_down(radius)} {perturbation.unit}".rstrip()


def _describe_confidence(alpha: Decimal) -> str:
    """Return 1 - alpha as a percentage, rounded down.

    >>> _describe_confidence(Decimal("0.001")), _describe_confidence(Decimal("0.012345"))
    ('99.9 % confidence', '98.76 % confidence')
    >>> _describe_confidence(Decimal("1e-9"))
    'more than 99.9999 % confidence'
    """
    if alpha < _SMALLEST_ALPHA:
        return f"more than {_percent(1 - _SMALLEST_ALPHA)} % confidence"
    return f"{_percent(1 - _round_up(alpha))} % confidence"


def _round_up(alpha: Decimal) -> Decimal:
    """Round to three significant digits, upwards."""
    return Context(prec=3, rounding=ROUND_UP).create_decimal(alpha)


def _percent(share: Decimal) -> str:
    return f"{(100 * share).normalize():f}"
