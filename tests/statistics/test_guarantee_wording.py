"""Stored records quote the guarantee and `verify` compares it: no character of it may change."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onnxcert._typing import Perturbation
from onnxcert.perturbation import AxisRotation, Gaussian, OnChannels, Rotation
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.guarantee import guarantee
from onnxcert.statistics.rule import Budget, Rule, Schedule

# The sentences of November 2026; the last line is the digest of all combinations.
STORED = Path(__file__).with_name("guarantees.txt")

PLAIN: tuple[Perturbation, ...] = (
    Gaussian(0.25),
    Gaussian(1e-7),
    Rotation(0.125),
    Rotation(0.25, 2),
    Rotation(0.25, 1, "classical"),
    Rotation(1.0, 2, "classical"),
    AxisRotation(0.25, "x"),
    AxisRotation(50.0, "z", 2),
)
PERTURBATIONS: tuple[Perturbation, ...] = (
    *PLAIN,
    OnChannels(Gaussian(0.25), 0, 3, "the coordinates"),
    OnChannels(Gaussian(0.25), 4, 5),
    OnChannels(Gaussian(0.25), 4, 7),
    OnChannels(Gaussian(0.25), 1, 6, "red, nir", (2, 3)),
    OnChannels(Gaussian(0.25), 1, 6, "", (2, 3)),
    OnChannels(Rotation(0.25), 3, 6, "the normals"),
    OnChannels(Rotation(0.25, 2, "classical"), 0, 6),
    OnChannels(AxisRotation(0.25, "y"), 0, 3, "the {coordinates}"),
    OnChannels(AxisRotation(0.25, "y", 2), 1, 7),
)
LOOKS = (Schedule(200, None, "pocock"), Schedule(200, (50, 200)))
RULES = (
    Rule(),
    Rule(tau=0.5),
    Rule(tau=0.999, alpha=0.02),
    Rule(more_taus=(0.6, 0.95)),
    Rule(correction="bonferroni", radius_map=True, floor=0.6),
    Rule(hindsight=("tau",)),
    Rule(hindsight=("tau", "alpha")),
    *(Rule(correction="bonferroni", schedule=schedule) for schedule in LOOKS),
    *(Rule(correction="bonferroni", procedure=p) for p in ("indivclass", "jointclass", "predict")),
    *(Rule(correction=name) for name in CORRECTIONS),
    *(
        Rule(correction=name, budget=Budget(text))
        for name in ("kfwer", "kfwer-stepdown")
        for text in ("2", "12.5%")
    ),
)
SCOPES: tuple[dict[str, Any], ...] = ({}, {"alpha_scope": "dataset", "inputs": 7})
FACTS: tuple[dict[str, Any], ...] = (
    {},
    {"components": 100, "smallest": 8, "kind": "points", "unit": "unit sphere"},
    {"components": 1, "selection": "split", "law_error": 1.2001e-7, "leak_check": "leak check off"},
    {"radius": 0.1234567},
    {"radius": 3.1415926535897936},
)


def say(perturbation: Perturbation, rule: Rule, facts: dict[str, Any], before: bool) -> str:
    usual: dict[str, Any] = {
        "unit": "intensity in [0, 1]",
        "selection": "pooled",
        "components": 4,
        "kind": "pixels",
        "controls": CORRECTIONS[rule.correction].controls,
    }
    return guarantee(
        perturbation=perturbation, rule=rule, n=200, n0=10, before=before, **(usual | facts)
    )


def one_at_a_time() -> Iterator[str]:
    for perturbation in PERTURBATIONS:
        yield say(perturbation, Rule(), {}, False)
        yield say(perturbation, Rule(more_taus=(0.6,)), {}, True)
        yield say(perturbation, RULES[4], FACTS[1], False)
    for rule, scope in itertools.product(RULES, SCOPES):
        yield say(PLAIN[0], rule.but(**scope), FACTS[1], False)
    for facts in FACTS:
        yield say(PLAIN[6], Rule(), facts, False)


def every_combination() -> Iterator[str]:
    for perturbation, rule, scope, facts, before in itertools.product(
        PERTURBATIONS, RULES, SCOPES, FACTS, (False, True)
    ):
        yield say(perturbation, rule.but(**scope), facts, before)


@pytest.mark.slow
def test_every_guarantee_is_worded_as_in_stored_records() -> None:
    *sentences, digest = STORED.read_text(encoding="utf-8").splitlines()
    assert list(one_at_a_time()) == sentences
    everything = "\n".join(every_combination())
    assert hashlib.sha256(everything.encode()).hexdigest() == digest
