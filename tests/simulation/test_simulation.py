"""What the study's figures must show, and that it can be repeated."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxcert.simulation import budgets, corruption, stopping
from onnxcert.simulation.calibrate import calibrate
from onnxcert.simulation.calibration import COLUMNS, InvalidRule, Row, cells, markdown, row
from onnxcert.simulation.catalogue import design, one_tau
from onnxcert.simulation.corruption import SCHEMES, certified_share
from onnxcert.simulation.invalid_rules import all_invalid_rules
from onnxcert.simulation.simulation import Decider
from onnxcert.simulation.table import NoProgress
from onnxcert.simulation.tallies import Errors
from onnxcert.statistics import Family, decide, smallest_n
from onnxcert.statistics.rule import Budget, Rule

FILES = {
    "corruption.csv",
    "corruption.png",
    "budgets.csv",
    "budgets.png",
    "draws.csv",
    "coverage.csv",
    "draws.png",
    "study.json",
}


def shares(gamma: float, components: int, n: int, seed: int = 1) -> dict[str, float]:
    """Certified share of each scheme on one tally."""
    errors, rng = Errors.one_bad(components, gamma), np.random.default_rng(seed)
    tallies = {
        "split": errors.tally(n, n, "split", rng, joint=True),
        "pooled": errors.tally(2 * n, n, "pooled", rng),
    }
    return {s.name: certified_share(tallies[s.selection], s.rule) for s in SCHEMES}


# -- the paper's two challenges ------------------------------------------------------------------


def test_one_bad_component_costs_segcertify_that_one_and_indivclass_everything() -> None:
    found = shares(0.05, 100, 1000)  # the bad one errs in a quarter of the votes
    assert found["IndivClass"] == 0.0
    assert found["JointClass"] == 0.0
    for name in (
        "SegCertify, Holm",
        "SegCertify, Bonferroni",
        "SegCertify, Holm, pooled (same passes)",
    ):
        assert found[name] == pytest.approx(0.99)


def test_jointclass_collapses_as_components_grow_and_the_others_do_not() -> None:
    gamma = 0.0005
    assert [shares(gamma, n, 1000)["JointClass"] for n in (100, 10_000)] == [1.0, 0.0]
    for name in ("IndivClass", "SegCertify, Holm"):
        assert shares(gamma, 10_000, 1000)[name] == 1.0


@pytest.mark.slow
def test_draws_in_which_all_agree_have_the_right_law() -> None:
    """Components miss independently: all agree in a share prod(1 - rate) of the draws."""
    rates = np.array([0.3, 0.1, 0.02, 0.6])
    rng = np.random.default_rng(2)
    n = 50
    joint = [Errors(rates).tally(n, n, "split", rng, joint=True).joint for _ in range(4000)]
    expected = float(np.prod(1 - rates))
    deviation = np.sqrt(n * expected * (1 - expected))
    assert abs(np.mean(joint) - n * expected) < 5 * deviation / np.sqrt(4000)
    assert abs(np.std(joint) / deviation - 1) < 0.06


def test_holm_certifies_what_bonferroni_does_and_pooling_more() -> None:
    found = list(corruption.shares(0.02, 3, NoProgress()))
    at = defaultdict(dict)
    for r in found:
        at[r.components, r.n0, r.gamma][r.scheme] = r.certified
    assert len(at) == corruption.steps(0.02)
    for case in at.values():
        assert case["SegCertify, Bonferroni"] <= case["SegCertify, Holm"]
        assert case["JointClass"] <= case["SegCertify, Holm"]
    total = {name: sum(case[name] for case in at.values()) for name in next(iter(at.values()))}
    assert total["SegCertify, Holm"] < total["SegCertify, Holm, pooled (same passes)"]
    assert total["JointClass"] < total["IndivClass"] < total["SegCertify, Bonferroni"]


# -- budgets -------------------------------------------------------------------------------------


def test_a_larger_budget_never_certifies_less_and_steps_never_hurt() -> None:
    rng = np.random.default_rng(4)
    for components in (100, 1000, 30_000):
        tally = Errors.one_bad(components, budgets.GAMMA).tally(1000, 1000, "split", rng)
        for alpha in budgets.ALPHAS:

            def share(correction: str, budget: str, alpha: float = alpha) -> float:
                rule = Rule(tau=0.9, alpha=alpha, correction=correction, budget=Budget(budget))
                return certified_share(tally, rule)  # noqa: B023

            for correction in budgets.CORRECTIONS:
                for more in (("0", "1", "2", "4"), ("0", "0.1%", "1%")):
                    found = [share(correction, budget) for budget in more]
                    assert found == sorted(found)
            for budget in budgets.BUDGETS:
                assert share("kfwer", budget) <= share("kfwer-stepdown", budget)


def test_a_budget_that_grows_with_the_components_keeps_the_share() -> None:
    rule = Rule(tau=0.9, alpha=0.001, correction="kfwer")
    rng = np.random.default_rng(5)
    few, many = (Errors.one_bad(n, 0.05).tally(1000, 1000, "split", rng) for n in (10_000, 300_000))
    fixed, growing = rule.but(budget=Budget("4")), rule.but(budget=Budget("1%"))
    assert certified_share(many, fixed) < certified_share(few, fixed) - 0.1
    assert abs(certified_share(many, growing) - certified_share(few, growing)) < 0.02


# -- early stopping ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def needed() -> dict[str, dict[int, float]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stopping, "LARGEST", 20_000)
        patch.setattr(stopping, "SHOWN", 20_000)
        found = list(stopping.needs(0.2, 6, NoProgress()))
    draws: dict[str, dict[int, float]] = defaultdict(dict)
    for part in found:
        for need in part.needed:
            draws[need.scheme][need.components] = need.draws
    reached = [r for part in found for r in part.reached]
    assert {r.components for r in reached} == {20_000}
    for name in ("looks, equal", "looks, pocock", "looks, obrien-fleming"):
        curve = [r.certified for r in reached if r.scheme == name]
        assert curve == sorted(curve)  # who is certified once stays so
        # Looks cost a few votes: next to what all draws certify without them.
        fixed = max(r.certified for r in reached if r.scheme == "fixed n")
        assert fixed - 0.03 < curve[-1] < fixed + 0.01
    return draws


@pytest.mark.slow
def test_early_stopping_needs_far_fewer_draws_than_fixing_the_most(
    needed: dict[str, dict[int, float]],
) -> None:
    for components in needed[stopping.FULL]:
        least = needed[stopping.UNANIMOUS][components]
        assert least <= needed[stopping.FIXED][components]
        for spending in ("equal", "pocock"):
            assert least < needed[f"looks, {spending}"][components] < 700
    assert needed["looks, equal"][20_000] < needed["looks, obrien-fleming"][20_000]


@pytest.mark.slow
def test_the_smallest_useful_n_grows_with_the_logarithm_of_the_components(
    needed: dict[str, dict[int, float]],
) -> None:
    for components, draws in needed[stopping.UNANIMOUS].items():
        rule = Rule(tau=stopping.TAU, alpha=stopping.ALPHA, correction="bonferroni")
        assert draws == smallest_n(Family.of(rule, components, "pooled"))


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "LARGEST", 2_000)
    monkeypatch.setattr(stopping, "SHOWN", 2_000)
    monkeypatch.setattr(budgets, "LARGEST", 2_000)
    monkeypatch.setattr(budgets, "VOTES", 4_000)
    monkeypatch.setattr(corruption, "COMPONENTS", (100, 1_000))


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_the_study_writes_figures_tables_and_what_repeats_them(
    onnxcert: Any, tmp_path: Path
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    for folder in (first, again):
        done = onnxcert("study", "--out", folder, "--resolution", 0.02, "--seed", 7)
        assert done.status == 0, done.err
        assert [Path(line) for line in done.out.splitlines()] == [
            Path(line) for line in dict.fromkeys(done.out.splitlines())
        ]
        assert {Path(line).name for line in done.out.splitlines()} == FILES
        assert {path.name for path in folder.iterdir()} == FILES
    for name in FILES:
        assert (first / name).read_bytes() == (again / name).read_bytes(), name
    one, other = (list(corruption.shares(0.02, seed, NoProgress())) for seed in (7, 8))
    assert one != other
    record = json.loads((first / "study.json").read_text())
    assert record["seed"] == 7
    assert {"onnxcert", "numpy", "scipy", "Python"} <= set(record["versions"])
    for name in ("corruption", "budgets", "draws"):
        with Image.open(first / f"{name}.png") as picture:
            assert picture.width > 900
            assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 50
    with (first / "corruption.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["scheme"] for line in lines} == {scheme.name for scheme in SCHEMES}
    assert all(0.0 <= float(line["certified"]) <= 1.0 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--out"),
        (("--out", "{}", "--resolution", 0), "resolution"),
        (("--out", "{}", "--resolution", 1.5), "resolution"),
        (("--calibrate", "--repetitions", 5), "repetitions"),
        (("--calibrate", "--seed", -1), "seed"),
    ],
)
def test_what_cannot_be_studied_is_one_sentence(
    onnxcert: Any, tmp_path: Path, arguments: tuple[object, ...], said: str
) -> None:
    done = onnxcert("study", *(str(a).replace("{}", str(tmp_path)) for a in arguments))
    assert said in done.refusal
    assert len(done.refusal.splitlines()) == 1


# -- calibration as a command --------------------------------------------------------------------


def _few(monkeypatch: pytest.MonkeyPatch, invalid_rules: list[InvalidRule]) -> None:
    monkeypatch.setattr("onnxcert.simulation.catalogue.all_designs", lambda: [one_tau()[0]])
    monkeypatch.setattr(
        "onnxcert.simulation.invalid_rules.all_invalid_rules", lambda: invalid_rules
    )


@pytest.mark.slow
def test_calibrate_passes_and_leaves_evidence(
    onnxcert: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _few(monkeypatch, all_invalid_rules()[:1])
    asked = ("study", "--calibrate", "--repetitions", 8000)
    done = onnxcert(*asked, "--out", tmp_path)
    assert done.status == 0, done.err
    assert "all as expected" in done.err
    page = (tmp_path / "calibration.md").read_text()
    assert "--repetitions 8000" in page
    with (tmp_path / "calibration.csv").open() as file:
        lines = list(csv.reader(file))
    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == 1 + 3 + 2
    printed = onnxcert(*asked)
    assert printed.out.split("| design")[1].strip() == page.split("| design")[1].strip()


@pytest.mark.slow
def test_calibrate_fails_where_a_rule_errs_too_often(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _few(monkeypatch, [])

    def lax(tally: object, rule: Rule) -> object:
        return decide(tally, rule.but(alpha=1.25 * rule.alpha))  # type: ignore[arg-type]

    monkeypatch.setattr("onnxcert.simulation.simulation.decide", lax)
    done = onnxcert("study", "--calibrate", "--repetitions", 8000)
    assert done.status == 1
    assert "NOT as expected" in done.err
    assert "REJECTED" in done.out


def test_calibrate_fails_where_a_rule_known_not_to_hold_is_not_seen() -> None:
    sound = all_invalid_rules()[0]
    blind = InvalidRule("INVALID RULE: ours", sound.design, "pair", sound.votes, _own)
    found = calibrate(repetitions=500, designs=[], invalid_rules=[blind])
    assert [r.as_expected for r in found] == [True, False]
    assert "NOT REJECTED" in markdown(found)


def _own(rule: Rule) -> Decider:
    return lambda tally: decide(tally, rule)


def test_too_few_repetitions_to_see_anything_are_a_failure_not_a_success() -> None:
    found = row(design("bonferroni", "split", 566, 61, (0.75,) * 4, taus=(0.75,)), "exclusive",
                100, seed=3)  # fmt: skip
    assert not found.detected
    assert not found.as_expected
    assert found.verdict == "1.25 ALPHA NOT DETECTED"


def test_a_row_says_what_is_wrong_with_it() -> None:
    sound = Row("d", "law", 0.1, 0.098, 0.097, 0.7, 0.8, 0.124, 1e-20, True)
    assert (sound.verdict, cells(sound)[-1]) == ("holds", "rejected")
    assert Row("d", "law", 0.1, 0.098, 0.12, 1e-9, 1e-9).verdict == "REJECTED"
    assert Row("d", "law", 0.1, 0.098, 0.06, 1.0, 1e-9).verdict == "DIFFERS FROM EXACT"
    assert not Row("d", "law", 0.1, 0.098, 0.06, 1.0, 1e-9).as_expected
