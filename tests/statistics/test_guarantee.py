"""The guarantee says what was decided, and every number that decided it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from exact import tally_of

from onnxcert.perturbation import Gaussian, OnChannels, Rotation
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import decide
from onnxcert.statistics.rule import Budget, Rule, Schedule


def said(rule: Rule, selection: Selection = "pooled", tally: Tally | None = None) -> str:
    return decide(tally or tally_of([[190, 200, 180, 100]], 200, selection), rule).statement()


def test_family_wise() -> None:
    for correction in ("bonferroni", "holm"):
        text = said(Rule(alpha=0.02, correction=correction))
        assert text.startswith(
            "With probability at least 1 - 0.02 over the noise draws, simultaneously for every "
            "certified component of an input: for every perturbation d of the input with L2 norm "
            "at most R = sigma * Phi^-1(tau) = 0.25 * Phi^-1(0.75) = 0.1686 ("
        )
        assert "majority class" in text
        assert f"correction {correction}" in text
        assert "expected share" not in text


@pytest.mark.parametrize("correction", ["kfwer", "kfwer-stepdown"])
@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("2", "b = 2 (b/N = 50 %)"),
        ("0", "b = 0 (b/N = 0 %)"),
        ("60%", "b = 2 (b/N = 50 %)"),
    ],
)
def test_a_budget_is_a_number_and_a_share(correction: str, budget: str, words: str) -> None:
    text = said(Rule(correction=correction, budget=Budget(budget)))
    assert f"for all but at most {words} of the certified components of an input: " in text
    assert "every certified component" not in text
    shared = said(
        Rule(correction=correction, budget=Budget(budget), alpha_scope="dataset", inputs=7)
    )
    assert f"at most {words} of the certified components of each of 7 inputs" in shared


def test_an_expected_share_is_no_probability() -> None:
    text = said(Rule(alpha=0.02, correction="benjamini-yekutieli"))
    assert text.startswith(
        "The expected share, over the noise draws, of wrong ones among the certified components "
        "of an input (0 where none is certified) is at most 0.02, where a component is right "
        "if for every perturbation d"
    )
    assert "With probability" not in text
    assert "simultaneously" not in text


def test_several_tau_have_a_radius_each() -> None:
    text = said(Rule(tau=0.75, more_taus=(0.6, 0.9), correction="bonferroni"))
    assert "of the tau it is certified at (0.06333 for tau 0.6, 0.1686 for tau 0.75" in text
    assert "for tau 0.9)" in text
    assert "tau 0.75, 0.6, 0.9, alpha" in text


def test_a_radius_map_has_a_radius_for_each_component() -> None:
    text = said(Rule(correction="bonferroni", radius_map=True, floor=0.6))
    assert (
        "at most R_i, the radius that the radius map gives component i (sigma * Phi^-1(tau)" in text
    )
    assert "for its own tau, 0.6 or more)" in text
    assert "0.1686" not in text


@pytest.mark.parametrize(("looks", "words"), [((50, 200), "50 200"), (None, "auto")])
def test_looks_name_the_most_draws_and_the_spending(looks: Any, words: str) -> None:
    schedule = Schedule(200, looks, "pocock")
    rule = Rule(correction="bonferroni", schedule=schedule)
    tally = tally_of([[50, 40]], 50)
    tally = replace(tally, looks=(50,), path=np.array([[[50, 40]]]), ended="until")
    if looks is None:
        from onnxcert.statistics.settings import Settings

        at = Settings(perturbation=Gaussian(0.25), n=200, n0=1, rule=rule).looks(2)[0]
        tally = replace(
            tally_of([[at, 0]], at), looks=(at,), path=np.array([[[at, 0]]]), ended="until"
        )
    text = said(rule, tally=tally)
    assert f"n at most 200 draws tested, looks {words}, spending pocock" in text
    assert "n 50 draws" not in text


def test_predict_rules_out_no_attack() -> None:
    tally = replace(tally_of([[90, 50]], 100, n0=100), runner_up=np.array([[10, 50]]))
    text = said(Rule(correction="bonferroni", procedure="predict"), tally=tally)
    assert "at the input itself is the certified class" in text
    assert "perturbation d" not in text
    assert "procedure predict" in text


def test_indivclass_says_the_radius_that_it_found() -> None:
    certificate = decide(
        tally_of([[190, 200]], 200, "split"), Rule(correction="bonferroni", procedure="indivclass")
    )
    text = certificate.statement()
    assert f"R = {Gaussian(0.25).format_radius(certificate.radius)} (" in text
    assert certificate.radius > Gaussian(0.25).radius(0.75)
    assert "Phi^-1" not in text
    # Any tau would say and certify the same.
    assert "tau " not in text
    other = decide(certificate.tally, certificate.rule.but(tau=0.9))
    assert (other.statement(), other.radius) == (text, certificate.radius)


def test_older_records_are_worded_as_they_were() -> None:
    by = decide(tally_of([190, 200], 200), Rule(alpha=0.02, correction="benjamini-yekutieli"))
    assert by.statement(before=True) == by.statement().replace(" (0 where none is certified)", "")
    rule = Rule(correction="bonferroni", procedure="indivclass")
    one = decide(tally_of([190, 200], 200, "split"), rule)
    assert one.statement(before=True) == one.statement().replace(
        "gaussian sigma 0.25, ", "gaussian sigma 0.25, tau 0.75, "
    )
    turned = OnChannels(Rotation(0.25), 3, 6, "the normals")
    draws = replace(by.tally.draws, perturbation=turned)
    other = decide(replace(by.tally, draws=draws), Rule())
    assert "coordinates" not in other.statement()
    assert other.statement(before=True) == other.statement().replace(
        turned.describe(), turned.describe_legacy()
    )
    plain = decide(tally_of([190, 200], 200), Rule())
    assert plain.statement(before=True) == plain.statement()


@pytest.mark.parametrize(
    ("chosen", "words"), [(("tau",), "tau was chosen"), (("tau", "alpha"), "tau and alpha were")]
)
def test_what_was_chosen_afterwards_voids_the_level(chosen: tuple[str, ...], words: str) -> None:
    text = said(Rule(hindsight=chosen))
    assert text.startswith(f"NOT A CERTIFICATE at this level, as {words}")
    assert "fixed beforehand it would have said: With probability" in text


@pytest.mark.parametrize(
    "change",
    [
        {"tau": 0.7},
        {"more_taus": (0.9,)},
        {"alpha": 0.002},
        {"alpha_scope": "dataset", "inputs": 5},
        {"correction": "holm"},
        {"correction": "kfwer"},
        {"correction": "kfwer", "budget": Budget("1")},
        {"correction": "kfwer", "budget": Budget("2")},
        {"correction": "kfwer", "budget": Budget("50%")},
        {"correction": "kfwer-stepdown"},
        {"correction": "benjamini-yekutieli"},
        {"radius_map": True},
        {"radius_map": True, "floor": 0.6},
        {"hindsight": ("tau",)},
    ],
    ids=str,
)
def test_whatever_changes_the_decision_changes_the_statement(change: dict[str, Any]) -> None:
    rule = Rule(correction="bonferroni")
    plain = said(rule)
    assert said(rule.but(**change)) != plain
    more = [said(rule, "split"), said(rule, tally=tally_of([[190, 200, 180, 100]], 210))]
    more += [said(rule, tally=tally_of([[190, 200, 180, 100]], 200, n0=2))]
    more += [said(rule, tally=tally_of([[190, 200, 180]], 200))]
    assert len({plain, *more}) == 5
