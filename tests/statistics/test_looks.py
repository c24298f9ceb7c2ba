"""Deciding at looks: what is once certified stays so, and only what was looked at counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exact import tally_of
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import boundaries, decide
from onnxcert.statistics.rule import Budget, Rule, Schedule

LOOKS = (30, 50, 80, 120)
COMPONENTS = 40


def rule(correction: str = "bonferroni", budget: str = "0", more: tuple[float, ...] = ()) -> Rule:
    return Rule(
        tau=0.7,
        more_taus=more,
        alpha=0.05,
        correction=correction,
        budget=Budget(budget),
        schedule=Schedule(LOOKS[-1], LOOKS),
    )


def path_of(seed: int, spread: float = 4.0) -> np.ndarray:
    """Hits of components of very different probabilities at each look."""
    rng = np.random.default_rng(seed)
    p = rng.beta(spread * 4, spread, COMPONENTS)
    return rng.binomial(1, p, (LOOKS[-1], COMPONENTS)).cumsum(axis=0)[np.array(LOOKS) - 1]


def looked(path: np.ndarray, taken: int, selection: Selection = "pooled") -> Tally:
    tally = tally_of(path[taken - 1], LOOKS[taken - 1], selection, n0=10)
    return replace(tally, looks=LOOKS[:taken], path=path[:taken])


@given(
    seed=st.integers(0, 10**6),
    selection=st.sampled_from(["pooled", "split"]),
    correction=st.sampled_from(["bonferroni", "kfwer"]),
    more=st.sampled_from([(), (0.5, 0.85), (0.9,)]),
)
@examples(100)
def test_certified_is_whoever_ever_crossed_and_further_looks_take_nothing_away(
    seed: int, selection: Selection, correction: str, more: tuple[float, ...]
) -> None:
    path = path_of(seed)
    asked = rule(correction, "3" if correction == "kfwer" else "0", more)
    k = 4 if correction == "kfwer" else 1
    before = np.zeros(COMPONENTS, int)
    for taken in range(1, len(LOOKS) + 1):
        certificate = decide(looked(path, taken, selection), asked)
        assert np.all(certificate.level >= before)
        before = certificate.level.astype(int)
        for tau, threshold in zip(asked.taus, certificate.thresholds, strict=True):
            ordered = sorted(asked.taus)
            rows = boundaries(LOOKS, ordered, k * 0.05 / COMPONENTS, selection, "equal")
            row = rows[ordered.index(tau)]
            crossed = (path[:taken] >= row[:taken, None]).any(axis=0)
            np.testing.assert_array_equal(certificate.labels_at(tau) >= 0, crossed)
            assert threshold == min(int(row[taken - 1]), LOOKS[taken - 1] + 1)


def test_a_component_that_crossed_early_and_fell_back_is_certified() -> None:
    path = path_of(0)
    path[:, 0] = (30, 45, 50, 60)
    certificate = decide(looked(path, 4), rule())
    assert certificate.labels[0] == 0
    assert path[3, 0] < certificate.threshold
    # One test at the end would not have certified it.
    assert decide(tally_of(path[3], 120), Rule(tau=0.7, alpha=0.05)).labels[0] == -1


def test_a_budget_lowers_the_boundaries() -> None:
    path = path_of(3)
    certified = [
        COMPONENTS - decide(looked(path, 4), rule("kfwer", budget)).abstained
        for budget in ("0", "5", "20")
    ]
    assert certified == sorted(certified)
    assert certified[0] < certified[-1]
    plain = decide(looked(path, 4), rule())
    assert COMPONENTS - plain.abstained == certified[0]


@pytest.mark.parametrize("looks", [(30, 50, 90, 120), (30, 50), (25, 30, 50, 80, 120), (120,)])
def test_votes_at_other_looks_than_planned_are_refused(looks: tuple[int, ...]) -> None:
    asked = rule().but(schedule=Schedule(120, (*looks, 120) if looks[-1] < 120 else looks))
    with pytest.raises(ParameterError, match="looks are fixed before drawing"):
        decide(looked(path_of(1), 4), asked)


def test_a_tally_without_a_path_is_refused_under_looks() -> None:
    with pytest.raises(ParameterError, match="got none; looks are fixed"):
        decide(tally_of(path_of(1)[-1], 120, n0=10), rule())


@pytest.mark.parametrize("ended", ["until", "futility", "time", "interrupted"])
def test_a_count_ended_at_a_look_is_not_tested_as_if_its_n_had_been_fixed(ended: str) -> None:
    """Whoever stops once enough is certified, and then tests once, errs far above alpha."""
    tally = replace(looked(path_of(1), 2), ended=ended)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="decide it under the looks"):
        decide(tally, Rule(tau=0.7, alpha=0.05))
    assert decide(tally, rule()).tally.ended == ended
    assert "NOT A CERTIFICATE" in decide(tally, Rule(hindsight=("looks",))).statement()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"looks": (30, 50, 80)}, "looks must increase up to the 120"),
        ({"looks": (50, 30, 80, 120)}, "looks must increase"),
        ({"looks": ()}, "looks must increase"),
        ({"path": None}, "for each look and component"),
        ({"path": path_of(1)[:3]}, "for each look and component"),
        ({"path": path_of(1)[::-1]}, "hits between the looks"),
        ({"path": path_of(1) + 30}, "hits between the looks at 0 and 30"),
        ({"path": path_of(1) // 2}, "hits at the last look must be those"),
        ({"ended": "bored"}, "a count ends for one of"),
    ],
    ids=str,
)
def test_a_path_that_no_votes_can_have_is_refused(change: dict[str, object], said: str) -> None:
    tally = looked(path_of(1), 4)
    with pytest.raises(ParameterError, match=said):
        replace(tally, **change)  # type: ignore[arg-type]


def test_a_path_in_narrow_unsigned_counters_is_checked_without_wrapping() -> None:
    path = path_of(1).astype(np.uint8)
    assert looked(path, 4).n == 120
    fallen = path.copy()
    fallen[1, 0] = fallen[0, 0] - 1  # -1 would be 255, and 20 more are allowed
    with pytest.raises(ParameterError, match="hits between the looks"):
        looked(fallen, 4)


def test_where_an_early_end_certifies_nothing_the_number_of_draws_is_not_to_blame() -> None:
    """What can be certified is a matter of the draws planned, not of those at the last look."""
    path = np.zeros((len(LOOKS), COMPONENTS), np.int64)
    (note,) = decide(looked(path, 1), rule().but(alpha=1e-5)).notes
    assert "too few" in note
    hopeless = rule().but(schedule=Schedule(20, (10, 20)), alpha=1e-5)
    few = replace(tally_of(path[0], 10, n0=10), looks=(10,), path=path[:1])
    (note,) = decide(few, hopeless).notes
    assert "20 draws cannot certify any" in note
