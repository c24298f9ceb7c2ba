"""Stored records quote the guarantee and `verify` compares it: no character of it may change."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guarantee_cases import FACTS, PERTURBATIONS, PLAIN, RULES, SCOPES

from onnxcert._typing import Perturbation
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.guarantee import guarantee
from onnxcert.statistics.rule import Rule

# The sentences of November 2026; the last line is the digest of all combinations.
STORED = Path(__file__).with_name("guarantees.txt")


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
