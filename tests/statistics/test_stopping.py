"""Reasons to stop at a look: each stops when it says, and none touches the certificate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from exact import tally_of

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Tally
from onnxcert.statistics import boundaries, decide, stopping
from onnxcert.statistics.rule import Rule, Schedule
from onnxcert.statistics.stopping import (
    InterimAnalysis,
    Stopping,
    compute_forecast,
    expected_gain,
    predictive_power,
)

LOOKS = (40, 80, 160, 400)
RULE = Rule(alpha=0.05, correction="bonferroni", schedule=Schedule(400, LOOKS))


def at(look: int, shares: list[float]) -> Tally:
    """Components with these hit rates at every look so far."""
    looks = LOOKS[: LOOKS.index(look) + 1]
    path = np.array([[math.floor(s * n) for s in shares] for n in looks])
    return replace(tally_of(path[-1], look), looks=looks, path=path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"until": 0.0}, "until must be a share"),
        ({"until": 1.01}, "until must be a share"),
        ({"futility": -0.1}, "futility must be a share"),
        ({"futility": math.nan}, "futility must be a share"),
        ({"seconds": 0.0}, "time must be above 0 seconds"),
        ({"seconds": math.nan}, "time must be above 0 seconds"),
    ],
    ids=str,
)
def test_what_is_no_reason_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Stopping(**wrong)


def test_a_reason_is_one_only_if_asked_for() -> None:
    assert not Stopping()
    assert Stopping().as_dict() == {}
    assert Stopping(until=1.0, seconds=60).as_dict() == {"until": 1.0, "time": 60}
    tally = at(80, [1.0, 1.0, 0.1])
    assert InterimAnalysis(RULE, Stopping()).analyse(tally) == ""


def test_until_stops_at_the_share_and_not_before() -> None:
    tally = at(80, [1.0, 1.0, 1.0, 0.1])
    assert compute_forecast(decide(tally, RULE)).certified == 0.75
    assert InterimAnalysis(RULE, Stopping(until=0.75)).analyse(tally) == "until"
    assert InterimAnalysis(RULE, Stopping(until=0.76)).analyse(tally) == ""


def test_futility_stops_where_little_is_left_to_win() -> None:
    hopeless, open_ = at(80, [1.0, 0.1, 0.2]), at(80, [1.0, 0.84, 0.85])
    assert InterimAnalysis(RULE, Stopping(futility=0.005)).analyse(hopeless) == "futility"
    interim_analysis = InterimAnalysis(RULE, Stopping(futility=0.005))
    assert interim_analysis.analyse(open_) == ""
    assert interim_analysis.forecast is not None
    assert interim_analysis.forecast.in_the_end > 0.2
    assert InterimAnalysis(RULE, Stopping(futility=0.99)).analyse(open_) == "futility"


def test_futility_waits_for_those_who_need_many_draws() -> None:
    """Their next hundred draws certify next to nothing, and 4000 of them much."""
    looks = (*LOOKS[: LOOKS.index(80) + 1], 500, 4000)
    rule = RULE.but(alpha=1e-9, schedule=Schedule(4000, looks))
    late = at(80, [0.82] * 8)
    forecast = compute_forecast(decide(late, rule))
    assert forecast.per_hundred == pytest.approx(forecast.in_the_end * 100 / 3920)
    assert forecast.next_hundred < forecast.per_hundred
    assert InterimAnalysis(rule, Stopping(futility=0.9 * forecast.per_hundred)).analyse(late) == ""
    assert (
        InterimAnalysis(rule, Stopping(futility=1.1 * forecast.per_hundred)).analyse(late)
        == "futility"
    )


@pytest.mark.parametrize(("elapsed", "ended"), [(20.0, ""), (29.9, ""), (30.1, "time")])
def test_time_stops_at_the_last_look_that_fits(
    elapsed: float, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 draws took so long; the next look is at 160 and would take twice that."""
    clock = iter([100.0, 100.0 + elapsed])
    monkeypatch.setattr(stopping.time, "monotonic", lambda: next(clock))
    interim_analysis = InterimAnalysis(
        RULE, Stopping(seconds=60.0), started=stopping.time.monotonic()
    )
    assert interim_analysis.analyse(at(80, [0.9, 0.9])) == ended


def test_the_last_look_is_no_early_stop() -> None:
    every = Stopping(until=0.01, futility=1.0, seconds=1e-9)
    assert InterimAnalysis(RULE, every).analyse(at(400, [1.0, 0.1])) == ""
    assert InterimAnalysis(RULE, every).analyse(at(160, [1.0, 0.1])) == "until"


def test_no_reason_changes_what_is_certified() -> None:
    tally = at(160, [1.0, 0.9, 0.8, 0.5])
    for ended in ("", "until", "futility", "time", "interrupted"):
        certificate = decide(replace(tally, ended=ended), RULE)  # type: ignore[arg-type]
        np.testing.assert_array_equal(certificate.level, decide(tally, RULE).level)


def test_the_outlook_is_what_more_draws_bring_on_average() -> None:
    """Probabilities from a flat prior, votes from them: of those with 34 hits of 40, how many
    reach 130 of 160?"""
    rng = np.random.default_rng(3)
    p = rng.beta(0.5, 0.5, 400_000)
    first = rng.binomial(40, p)
    seen = p[first == 34]
    reached = (34 + rng.binomial(120, seen) >= 130).mean()
    assert predictive_power(40, 120, 130)[34] == pytest.approx(
        reached, abs=5 * 0.5 / math.sqrt(len(seen))
    )
    assert predictive_power(40, 120, 30)[34] == 1.0
    assert predictive_power(40, 10, 45)[34] == 0.0
    histogram = np.zeros(41, int)
    histogram[34] = 7
    assert expected_gain(histogram, 40, 120, 130) == pytest.approx(7 * reached, abs=0.1)
    assert expected_gain(histogram, 40, 0, 130) == expected_gain(histogram, 40, 9, 50) == 0.0


def test_the_outlook_in_shares_of_all_components() -> None:
    forecast = compute_forecast(decide(at(160, [1.0, 0.8, 0.8, 0.1]), RULE))
    bound = int(boundaries(LOOKS, [0.75], 0.05 / 4, "pooled", "equal")[0, -1])
    assert (forecast.draws, forecast.certified) == (160, 0.25)
    assert forecast.in_the_end == pytest.approx(2 * predictive_power(160, 240, bound)[128] / 4)
    assert 0 < forecast.next_hundred < forecast.in_the_end


@pytest.mark.parametrize("shares", [[1.0, 0.80, 0.81], [1.0, 0.88, 0.87]])
def test_futility_is_about_a_hundred_draws_the_next_ones_or_all_that_are_left(
    shares: list[float],
) -> None:
    tally = at(80, shares)
    forecast = compute_forecast(decide(tally, RULE))
    worth = max(forecast.next_hundred, forecast.in_the_end * 100 / 320)
    assert 0 < worth < forecast.in_the_end
    for futility, ended in ((worth * 0.999, ""), (worth * 1.001, "futility")):
        assert InterimAnalysis(RULE, Stopping(futility=futility)).analyse(tally) == ended


@pytest.mark.parametrize("first", [0.6, 0.75, 0.9])
def test_more_draws_are_worth_what_they_bring_at_the_tau_that_gains_most(first: float) -> None:
    """Else a run that asks for two radii would stop as soon as the first has all it can get."""
    taus = (first, *(tau for tau in (0.6, 0.75, 0.9) if tau != first))
    rule = RULE.but(tau=first, more_taus=taus[1:])
    tally = at(80, [1.0, 0.88, 0.75, 0.66, 0.5])
    certificate = decide(tally, rule)
    gains = []
    for tau, bounds in zip(taus, boundaries(LOOKS, taus, 0.05 / 5, "pooled", "equal"), strict=True):
        undecided = tally.hits[certificate.labels_at(tau) < 0]
        gains.append(predictive_power(80, 320, int(bounds[-1]))[undecided].sum() / 5)
    forecast = compute_forecast(certificate)
    assert forecast.certified == pytest.approx(np.mean(certificate.labels_at(first) >= 0))
    assert forecast.in_the_end == pytest.approx(max(gains))
    assert len({round(gain, 6) for gain in gains}) == 3
