"""The text of the guarantee. Stored records quote it: no character of it may change."""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal
from typing import Final, NamedTuple

from onnxcert._typing import Perturbation
from onnxcert.perturbation import OnChannels
from onnxcert.statistics.changes import CHANGES
from onnxcert.statistics.correction.base import Controls
from onnxcert.statistics.rule import Rule


class _RotationWords(NamedTuple):
    """Words for a norm that is no norm of an added perturbation."""

    sigma: str
    attack: str
    everything: str


_ROTATIONS: Final = {
    "angle": _RotationWords(
        "{sigma!r} rad",
        "every rotation of {part} about the origin of the input's frame ({unit}), around any axis, "
        "by a geodesic angle of at most {size}",
        "every rotation",
    ),
    "angle about an axis": _RotationWords(
        "{sigma!r} rad about {axis}",
        "every rotation of {part} about the {axis} axis through the origin of the input's frame "
        "({unit}), by an angle of at most {size}",
        "every angle",
    ),
}
VECTORS: Final = {1: "the coordinates alone", 2: "the coordinates and normals"}


def guarantee(
    *,
    rule: Rule,
    controls: Controls,
    perturbation: Perturbation,
    unit: str,
    n: int,
    n0: int,
    selection: str,
    components: int,
    smallest: int | None = None,
    kind: str,
    radius: float | None = None,
    law_error: float = 0.0,
    before: bool = False,
    leak_check: str = "",
) -> str:
    """Return the guarantee in one sentence, with every number it depends on.

    Args:
        rule: the decision rule.
        controls: the error rate that the correction controls.
        perturbation: the noise.
        unit: the unit of the input, as text.
        n: draws tested; under interim looks the maximum.
        n0: draws the candidate was chosen from.
        selection: `pooled` or `split`.
        components: N, or the largest N of several inputs.
        smallest: the smallest N of several inputs; None if there is only one N.
        kind: what a component is, as text.
        radius: replaces the radius that follows from tau.
        law_error: of one draw, see `onnxcert.sampling.tally.Tally`.
        before: use the wording of older records. It did not say that the share of no certificates
            is 0, gave a tau for IndivClass and PREDICT, and named the rotated channels twice.
        leak_check: how the run checked batch invariance; empty if not recorded.
    """
    smallest = components if smallest is None else smallest
    shared = rule.alpha_scope == "dataset"
    family = f"of all {rule.inputs} inputs" if shared else "of an input"
    if rule.procedure == "predict":
        what = (
            "the class most likely under noise (the class that the smoothed model predicts) at the "
            "input itself is the certified class"
        )
    else:
        size = _describe_radius(rule, perturbation, radius)
        what = (
            f"for {describe_attack(perturbation, size, unit)}, the class most likely under noise "
            "(the majority class of the smoothed model) at the perturbed input is the certified "
            "class"
        )
    if controls == "FDR":
        none = "" if before else " (0 where none is certified)"
        sentence = (
            f"The expected share, over the noise draws, of wrong ones among the certified "
            f"components {family}{none} is at most {rule.alpha!r}, where a component is right if "
            f"{what}."
        )
    else:
        scope = f"simultaneously for every certified component {family}"
        if controls == "k-FWER":
            tolerated = _describe_budget(rule, smallest, components)
            family = f"of each of {rule.inputs} inputs" if shared else family
            scope = f"for all but at most {tolerated} of the certified components {family}"
        sentence = (
            f"With probability at least 1 - {rule.alpha!r} over the noise draws, {scope}: {what}."
        )
    if rule.hindsight:
        sentence = (
            f"NOT A CERTIFICATE at this level, as {' and '.join(rule.hindsight)} "
            f"{'was' if len(rule.hindsight) == 1 else 'were'} chosen after the votes had been "
            f"counted; fixed beforehand it would have said: {sentence}"
        )
    numbers = [describe_noise(perturbation, before=before)]
    # IndivClass holds for all tau and PREDICT for none, so the rule's tau has no effect.
    if before or rule.procedure not in ("indivclass", "predict"):
        numbers.append(f"tau {', '.join(map(repr, rule.taus))}")
    each = "for each input by itself"
    if shared:
        share = f"{rule.alpha_per_input:.3g} for each of {rule.inputs} inputs"
        each = f"over the whole data set, {share}"
    draws = f"n {n} draws tested"
    if (schedule := rule.schedule) is not None:
        looks = "auto" if schedule.looks is None else " ".join(map(str, schedule.looks))
        draws = f"n at most {schedule.n} draws tested, looks {looks}, spending {schedule.spending}"
    many = f"{components}" if smallest == components else f"{smallest} to {components}"
    numbers += [
        f"alpha {rule.alpha!r} {each}",
        draws,
        f"n0 {n0}",
        f"selection {selection}",
        f"N {many} {'component' if many == '1' else 'components'} ({kind})",
        f"correction {rule.correction}",
    ]
    if rule.procedure != "segcertify":
        numbers.append(f"procedure {rule.procedure}")
    if law_error > 0.0:
        numbers.append(f"law error {_round_up(law_error)}")
    if leak_check:
        numbers.append(leak_check)
    return f"{sentence} [{', '.join(numbers)}]"


def _describe_radius(rule: Rule, perturbation: Perturbation, radius: float | None) -> str:
    if rule.radius_map:
        return (
            "R_i, the radius that the radius map gives component i "
            f"({describe_formula(perturbation)} for its own tau, {rule.floor!r} or more)"
        )
    if radius is not None:
        return f"R = {format_radius(perturbation, radius)}"
    if rule.more_taus:
        each = ", ".join(
            f"{format_radius(perturbation, perturbation.radius(tau))} for tau {tau!r}"
            for tau in sorted(rule.taus)
        )
        return f"R = {describe_formula(perturbation)} of the tau it is certified at ({each})"
    tau = rule.tau
    return (
        f"R = {describe_formula(perturbation)} = {describe_formula(perturbation, tau)} = "
        f"{format_radius(perturbation, perturbation.radius(tau))}"
    )


def describe_noise(perturbation: Perturbation, *, before: bool = False) -> str:
    """Return the noise and its parameters as text, e.g. ``gaussian sigma 0.25``.

    Args:
        perturbation: the noise.
        before: name the rotated channels twice, as older records do.
    """
    of = perturbation.of if isinstance(perturbation, OnChannels) else perturbation
    words, values = _ROTATIONS.get(of.norm), of.parameters()
    if words is None:
        noise, whole = " ".join(f"{name} {value!r}" for name, value in values.items()), ""
        if of.norm in CHANGES:
            noise = f"{noise} {of.unit}".rstrip()
    else:
        noise = f"sigma {words.sigma.format(**values)}"
        whole = f" of {VECTORS[values['vectors']]}"
    if not isinstance(perturbation, OnChannels):
        return f"{of.name} {noise}{whole}"
    if words is None or before:
        return f"{of.name} {noise}{whole} on {describe_channels(perturbation)}"
    return f"{of.name} {noise} of {describe_channels(perturbation)}"


def describe_attack(perturbation: Perturbation, size: str, unit: str) -> str:
    """Return the attack that is certified against: `for every ...`."""
    of, part = perturbation, ""
    if isinstance(perturbation, OnChannels):
        of, part = perturbation.of, describe_channels(perturbation)
        # Add the channel numbers, because the user's name for them cannot be verified.
        part = part if perturbation.called else f"the {part}"
    words, values = _ROTATIONS.get(of.norm), of.parameters()
    if words is None:
        part = part or "the input"
        if of.norm in CHANGES:
            return CHANGES[of.norm].format(part=part, size=size, unit=unit)
        unit = of.unit or unit
        return f"every perturbation d of {part} with {of.norm} norm at most {size} ({unit})"
    part = part or VECTORS[values["vectors"]]
    return words.attack.format(part=part, size=size, unit=unit, **values)


def describe_channels(perturbation: OnChannels) -> str:
    """Return the perturbed channels as text: their name, if they have one, and their numbers."""
    channels = perturbation.channels
    if perturbation.left_out:
        text = f"channels {', '.join(map(str, channels))}"
    elif len(channels) == 1:
        text = f"channel {channels[0]}"
    else:
        text = f"channels {channels[0]} to {channels[-1]}"
    return f"{perturbation.called} ({text})" if perturbation.called else text


def describe_formula(perturbation: Perturbation, tau: float | None = None) -> str:
    """Return the formula of the radius in symbols; with `tau`, in numbers."""
    of = perturbation.of if isinstance(perturbation, OnChannels) else perturbation
    values = of.parameters() | {"tau": tau}
    if tau is not None:
        return of.formula.format(**{name: repr(value) for name, value in values.items()})
    text = of.formula.format(**{name: name for name in values})
    # Only this formula is known by its name.
    return f"the Neyman-Pearson radius {text} of rotations" if text.startswith("NP(") else text


def format_radius(perturbation: Perturbation, radius: float) -> str:
    """Format a radius with four significant digits, rounded down; angles also in degrees.

    Changes with few parameters have a unit of their own, which is added.

    >>> from onnxcert.perturbation import Gaussian, Rotation
    >>> format_radius(Gaussian(0.25), 0.084525), format_radius(Rotation(0.25), 0.084525)
    ('0.08452', '0.08452 rad (4.842 degrees)')
    >>> format_radius(Rotation(0.25), math.pi)
    'pi rad (180 degrees: every rotation)'
    """
    words = _ROTATIONS.get(perturbation.norm)
    if words is None:
        unit = perturbation.unit if perturbation.norm in CHANGES else ""
        return f"{round_down(radius)} {unit}".rstrip()
    if radius >= math.pi:
        return f"pi rad (180 degrees: {words.everything})"
    return f"{round_down(radius)} rad ({round_down(math.degrees(radius))} degrees)"


def round_down(radius: float) -> str:
    """Format `radius` with four significant digits, rounded down.

    The digits are those of the binary number, which may lie just below the decimal one.

    >>> round_down(0.16862), round_down(0.16868)
    ('0.1686', '0.1686')
    >>> round_down(0.3), Decimal(0.3) < Decimal("0.3")
    ('0.2999', True)
    """
    rounded = Context(prec=4, rounding=ROUND_DOWN).create_decimal(Decimal(radius))
    return f"{float(rounded):.4g}"


def _describe_budget(rule: Rule, smallest: int, components: int) -> str:
    """Describe b, and b / N, of the smallest and the largest input."""
    budgets = [rule.budget.of(count) for count in (smallest, components)]
    b = " to ".join(dict.fromkeys(map(str, budgets)))
    if budgets[0] != budgets[1]:
        return f"b = {b} (b/N at most {rule.budget.text.removesuffix('%')} %)"
    shares = dict.fromkeys(percent(budgets[0], count) for count in (components, smallest))
    return f"b = {b} (b/N = {' to '.join(shares)})"


def percent(b: int, components: int) -> str:
    """Format b / N as a percentage with three significant digits, rounded up.

    >>> percent(1, 40960), percent(995, 1000), percent(2, 192)
    ('0.00245 %', '99.5 %', '1.05 %')
    """
    share = Context(prec=3, rounding=ROUND_UP).divide(Decimal(100 * b), Decimal(components))
    return f"{share.normalize():f} %"


def _round_up(value: float) -> str:
    """Format a value with three significant digits, rounded up.

    >>> _round_up(1.2001e-7), _round_up(0.25)
    ('1.21e-07', '0.25')
    """
    rounded = float(Context(prec=3, rounding=ROUND_UP).create_decimal(Decimal(value)))
    return f"{rounded:.3g}"
