"""The guarantee in one line claims what the exact wording claims, and never more."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from exact import tally_of
from guarantee_cases import FACTS, PERTURBATIONS, RULES, SCOPES

from onnxcert._typing import Perturbation
from onnxcert.perturbation import PLAIN, AxisRotation, Gaussian, OnChannels, Rotation
from onnxcert.perturbation.semantic import Semantic
from onnxcert.sampling.tally import Element
from onnxcert.statistics import decide
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.guarantee import describe_attack
from onnxcert.statistics.guarantee_summary import summarise_guarantee
from onnxcert.statistics.rule import Budget, Rule

ROTATIONS = ("angle", "angle about an axis")
CHANGES = tuple(
    kind(**{"sigma": kind.usual}) for kind in PLAIN.values() if issubclass(kind, Semantic)
)


def say(rule: Rule, perturbation: Perturbation | None = None, **facts: Any) -> str:
    usual: dict[str, Any] = {
        "controls": CORRECTIONS[rule.correction].controls,
        "unit": "intensity in [0, 1]",
        "components": 4,
        "kind": "pixels",
    }
    return summarise_guarantee(
        rule=rule, perturbation=perturbation or Gaussian(0.25), **(usual | facts)
    )


def combinations() -> Iterator[tuple[Perturbation, Rule, dict[str, Any], int]]:
    """Every combination of the exact wording's test, for one input and for several."""
    for perturbation, rule, scope, facts, inputs in itertools.product(
        (*PERTURBATIONS, *CHANGES), RULES, SCOPES, FACTS, (1, 5)
    ):
        known = {k: v for k, v in facts.items() if k in ("components", "kind", "radius")}
        if rule.radius_map:
            known["radii"] = (0.05, 0.41)
        yield perturbation, rule.but(**scope), known, inputs


def sizes(line: str) -> list[float]:
    """The sizes of the attacks that the line rules out, in radians or the input's unit."""
    attack = re.split(r"up to ", line.split("changes the smoothed")[0], maxsplit=1)
    if len(attack) == 1:
        return []
    text = re.sub(r"(for )?tau [\d.]+( to [\d.]+)?", "", attack[1])
    text = re.sub(r"pixels\^2|log2\(\w+\)", "", text)  # units with a digit
    found = [float(number) for number in re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", text)]
    return [math.radians(size) for size in found] if "degrees" in text else found


@pytest.mark.slow
def test_no_line_claims_more_than_the_exact_wording() -> None:
    lines = 0
    for perturbation, rule, facts, inputs in combinations():
        line = say(rule, perturbation, inputs=inputs, **facts)
        lines += 1
        assert "\n" not in line
        controls = CORRECTIONS[rule.correction].controls

        # The radius.
        exact = (
            [facts["radius"]]
            if "radius" in facts
            else [perturbation.radius(tau) for tau in sorted(rule.taus)]
        )
        if rule.radius_map:
            exact = list(facts["radii"])
        if rule.procedure == "predict":
            assert "up to" not in line
            assert "no perturbation is covered" in line
        elif perturbation.norm in ROTATIONS and len(exact) == 1 and exact[0] >= math.pi:
            assert not sizes(line)
        else:
            exact = [min(e, math.pi) for e in exact] if perturbation.norm in ROTATIONS else exact
            for size, most in zip(sizes(line), exact, strict=True):
                assert 0.998 * most <= size <= most, (line, most)

        # The confidence, or the expected share.
        alpha = Decimal(repr(rule.alpha))
        stated = re.findall(r"(more than )?([\d.]+) % confidence", line)
        if controls == "FDR" and rule.procedure != "predict":
            assert not stated
            (share,) = re.findall(r"an expected share of at most ([\d.]+) %", line)
            assert alpha <= Decimal(share) / 100 <= alpha * Decimal("1.01")
        else:
            ((_, percent),) = stated
            failing = 1 - Decimal(percent) / 100
            assert alpha <= failing <= max(alpha * Decimal("1.01"), Decimal("1e-6"))

        # The budget, the scope, and what voids the level.
        b = rule.budget.of(facts.get("components", 4))
        if controls == "k-FWER" and b and rule.procedure != "predict":
            assert f"At all but at most {b} certified" in line
        if rule.alpha_scope == "dataset":
            assert "all 7 " in line
        elif inputs > 1:
            assert "each " in line
        assert line.startswith("NOT A CERTIFICATE, as ") == bool(rule.hindsight)
        for name in rule.hindsight:
            assert name in line.split(" chosen after the votes had been counted")[0]
    assert lines > 3000


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_the_line_of_a_change_names_it_and_what_it_leaves_out(change: Perturbation) -> None:
    line = say(Rule(), change)
    assert change.norm in line or change.name in line
    assert "without clipping or storing" in line
    assert len(line) < 200
    assert ("up or down" in line) == (change.name not in ("blur", "white-balance", "shift"))


def test_the_sentence_of_the_readme() -> None:
    assert say(Rule()) == (
        "No perturbation of L2 norm up to 0.1686 changes the smoothed model's class at a certified "
        "pixel (99.9 % confidence)."
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            say(Rule(correction="kfwer", budget=Budget("2"))),
            "At all but at most 2 certified pixels, no perturbation of L2 norm up to 0.1686 "
            "changes the smoothed model's class (99.9 % confidence).",
        ),
        (
            say(Rule(correction="kfwer", budget=Budget("2")), inputs=3),
            "At all but at most 2 certified pixels of each image, no perturbation of L2 norm up "
            "to 0.1686 changes the smoothed model's class (99.9 % confidence for each image).",
        ),
        (
            say(Rule(correction="benjamini-yekutieli", alpha=0.05)),
            "At all certified pixels but an expected share of at most 5 %, no perturbation of L2 "
            "norm up to 0.1686 changes the smoothed model's class.",
        ),
        (
            say(Rule(correction="bonferroni", procedure="predict")),
            "The class certified at a pixel is the class that the smoothed model predicts without "
            "a perturbation (99.9 % confidence); no perturbation is covered.",
        ),
        (
            say(Rule(correction="bonferroni", radius_map=True), radii=(0.05, 0.41)),
            "For a certified pixel, no perturbation of L2 norm up to the pixel's own radius "
            "(0.05 to 0.4099) changes",  # the binary 0.41 lies below the decimal one
        ),
        (
            say(Rule(more_taus=(0.6,))),
            "up to the radius of the pixel's tau (0.06333 for tau 0.6, 0.1686 for tau 0.75) ",
        ),
        (
            say(Rule(more_taus=(0.6, 0.65, 0.7, 0.8))),
            "up to the radius of the pixel's tau (0.06333 to 0.2104, for tau 0.6 to 0.8) changes",
        ),
        (
            say(Rule(alpha_scope="dataset", inputs=500)),
            "at a certified pixel (99.9 % confidence for all 500 images together).",
        ),
        (
            say(Rule(hindsight=("tau", "alpha"))),
            "NOT A CERTIFICATE, as tau and alpha were chosen after the votes had been counted; "
            "fixed beforehand it would have said: No perturbation",
        ),
        (
            say(Rule(), Rotation(0.125, 2, "classical"), kind="points"),
            "No rotation of the coordinates and normals about any axis through the origin by up to "
            "4.83 degrees changes the smoothed model's class at a certified point",
        ),
        (
            say(Rule(tau=0.999), AxisRotation(50.0, "z"), kind=str(Element.SHAPE.value)),
            "No rotation of the coordinates alone about the z axis changes the smoothed model's "
            "class of a certified shape",
        ),
        (
            say(Rule(), OnChannels(Gaussian(0.25), 0, 3, "the coordinates"), kind="points"),
            "No perturbation of the coordinates (channels 0 to 2) with L2 norm up to 0.1686",
        ),
        (say(Rule(), kind="the whole picture"), "class of a certified image (99.9"),
        (say(Rule(), kind="labels x pixels"), "class for a certified label of a pixel (99.9"),
        (say(Rule(), kind="labels of the whole picture"), "for a certified label of an image"),
        (say(Rule(), kind="of the callable's labels"), "at a certified component (99.9"),
        (say(Rule(alpha=1e-50)), "(more than 99.9999 % confidence)"),
    ],
    ids=lambda v: v[:40],
)
def test_variants(line: str, words: str) -> None:
    assert words in line


def test_an_attack_without_short_words_has_those_of_the_exact_wording() -> None:
    """A new kind of change must not be called a perturbation of some norm."""

    class Haze(Gaussian):
        norm = "haze"
        unit = "metres"

    line = say(Rule(), Haze(0.25))
    exact = describe_attack(Haze(0.25), "0.1686 metres", "intensity in [0, 1]")
    assert line.startswith(f"No {exact.removeprefix('every ')} changes the smoothed model's class")


def test_a_certificate_says_its_own_line() -> None:
    tally = tally_of([[190, 200, 180, 100]], 200)
    assert decide(tally, Rule()).sentence == say(Rule())
    # The range of a radius map is that of its certified components.
    mapped = decide(tally, Rule(correction="bonferroni", radius_map=True))
    assert sizes(mapped.sentence) == pytest.approx(
        [mapped.radii[mapped.level > 0].min(), mapped.radii[mapped.level > 0].max()], rel=1e-3
    )
    nothing = decide(tally_of([[100, 100]], 200), Rule(correction="bonferroni", radius_map=True))
    assert "own radius changes" in nothing.sentence
    # IndivClass finds its own radius.
    one = decide(
        replace(tally_of([[190, 200]], 200, "split")),
        Rule(correction="bonferroni", procedure="indivclass"),
    )
    assert sizes(one.sentence) == pytest.approx([one.radius], rel=1e-3)
    assert one.radius >= sizes(one.sentence)[0]
