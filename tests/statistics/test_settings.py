"""What is asked reaches the decision, every part of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian, OnChannels, Rotation
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Tally
from onnxcert.statistics import decide, p_values
from onnxcert.statistics.rule import Budget, Rule, Schedule
from onnxcert.statistics.settings import Settings
from onnxcert.statistics.stopping import Stopping


def tally(n: int = 100) -> Tally:
    """Every number of hits once."""
    hits = np.arange(n + 1).reshape(1, -1)
    zeros = np.zeros_like(hits, dtype=np.uint8)
    draws = Draws(Gaussian(0.25), 1, "ab" * 32)
    return Tally(zeros, hits, zeros, n, 10, "pooled", 3, 0, draws)


def test_a_data_set_shares_its_alpha_in_the_decision_too() -> None:
    rule = Rule(alpha=0.1, alpha_scope="dataset", inputs=1000)
    shared = Settings(perturbation=Gaussian(0.25), rule=rule).decide(tally())
    alone = Settings(perturbation=Gaussian(0.25), rule=Rule(alpha=0.1)).decide(tally())
    assert shared.threshold == decide(tally(), Rule(alpha=0.1 / 1000)).threshold
    assert alone.threshold == decide(tally(), Rule(alpha=0.1)).threshold
    assert shared.threshold > alone.threshold
    assert "0.0001 for each of 1000 inputs" in shared.statement()


@pytest.mark.parametrize(
    "changed",
    [{"tau": 0.9}, {"alpha": 1e-9}, {"correction": "bonferroni"}],
    ids=str,
)
def test_each_setting_is_the_one_decided_with(changed: dict[str, Any]) -> None:
    got = Settings(perturbation=Gaussian(0.25), rule=Rule(**changed)).decide(tally())
    wanted = decide(tally(), Rule(**changed))
    assert (got.threshold, got.radius, got.statement()) == (
        wanted.threshold,
        wanted.radius,
        wanted.statement(),
    )
    np.testing.assert_array_equal(got.labels, wanted.labels)


def test_too_few_draws_for_a_shared_alpha_are_refused_with_the_number_that_is_enough() -> None:
    rule = Rule(alpha=0.001, alpha_scope="dataset", inputs=50)
    settings = Settings(perturbation=Gaussian(0.25), n=62, rule=rule)
    assert Settings(perturbation=Gaussian(0.25), n=62, rule=Rule(alpha=0.001)).can_certify(43_200)
    with pytest.raises(ParameterError, match="--n 75 or more"):
        settings.check_feasible(43_200)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rule": Rule(correction="bonferroni", schedule=Schedule(90))}, "last look must be at n"),
        ({"stopping": Stopping(until=0.5)}, "until stops at a look, but the rule has none"),
        ({"stopping": Stopping(seconds=9)}, "time stops at a look"),
        ({"rule": Rule(correction="bonferroni", procedure="predict")}, "n0 to be n 100"),
        ({"rule": Rule(procedure="certify")}, "procedure must be one of segcertify"),
        ({"rule": Rule(budget=Budget("3"))}, "a budget of 3 wrong"),
        ({"rule": Rule(correction="hommel")}, "cannot back a certificate"),
        ({"n0": 101}, "n0 must be at most n"),
    ],
    ids=str,
)
def test_parts_that_do_not_go_together_are_refused_before_anything_is_drawn(
    wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        Settings(perturbation=Gaussian(0.25), **wrong)


def test_looks_follow_from_the_settings_alone() -> None:
    rule = Rule(correction="bonferroni", schedule=Schedule(1000))
    settings = Settings(perturbation=Gaussian(0.25), n=1000, rule=rule)
    looks = settings.looks(10**6)
    assert looks[-1] == 1000
    # The first is where what may be spent there certifies somebody, with few draws to spare.
    level = 0.001 / 10**6 / len(looks)
    assert p_values(looks[0], 0.75, "pooled")[-1] <= level < p_values(74, 0.75, "pooled")[-1]
    assert looks[0] < 90
    assert settings.looks(10) != looks
    assert Settings(perturbation=Gaussian(0.25)).looks(5) == ()


def test_the_settings_say_all_that_was_asked() -> None:
    rule = Rule(
        tau=0.8, correction="kfwer", budget=Budget("0.1%"), schedule=Schedule(100, (50, 100))
    )
    settings = Settings(perturbation=Gaussian(0.5), rule=rule, stopping=Stopping(futility=0.01))
    assert settings.as_dict() == {
        **{"perturbation": "gaussian", "sigma": 0.5, "n": 100, "n0": 10, "selection": "pooled"},
        **{"tau": 0.8, "alpha": 0.001, "alpha_scope": "input", "correction": "kfwer"},
        **{"budget": "0.1%", "looks": [50, 100], "spending": "equal", "futility": 0.01},
    }
    assert Rule.from_dict(settings.as_dict()) == rule


def test_a_perturbation_of_channels_is_said_with_the_one_inside() -> None:
    said = Settings(perturbation=OnChannels(Gaussian(0.5), 0, 3, "the coordinates")).as_dict()
    assert said["perturbation"] == "on-channels"
    assert said["of"] == {"perturbation": "gaussian", "sigma": 0.5}
    assert (said["start"], said["stop"], said["called"]) == (0, 3, "the coordinates")
    said = Settings(perturbation=Rotation(0.25, 2)).as_dict()
    assert (said["sigma"], said["vectors"], said["form"]) == (0.25, 2, "exact")
    # No name of a parameter is that of another setting.
    for perturbation in (OnChannels(Gaussian(0.5), 0, 3), Rotation(0.25)):
        others = set(Settings(perturbation=Gaussian(0.5)).as_dict()) - {"sigma"}
        assert not others & set(perturbation.parameters())
