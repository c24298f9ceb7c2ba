"""What is asked reaches the decision, every part of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxcert.decision import decide
from onnxcert.draws import Draws
from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.result import Tally
from onnxcert.settings import Settings


def tally(n: int = 100) -> Tally:
    """Every number of hits once."""
    hits = np.arange(n + 1).reshape(1, -1)
    zeros = np.zeros_like(hits, dtype=np.uint8)
    draws = Draws(Gaussian(0.25), 1, "ab" * 32)
    return Tally(zeros, hits, zeros, n, 10, "pooled", 3, 0, draws)


def test_a_data_set_shares_its_alpha_in_the_decision_too() -> None:
    shared = Settings(
        perturbation=Gaussian(0.25), alpha=0.1, alpha_scope="dataset", inputs=1000
    ).decide(tally())
    alone = Settings(perturbation=Gaussian(0.25), alpha=0.1).decide(tally())
    assert shared.threshold == decide(tally(), alpha=0.1 / 1000).threshold
    assert alone.threshold == decide(tally(), alpha=0.1).threshold
    assert shared.threshold > alone.threshold
    assert "0.0001 for each of 1000 inputs" in shared.statement()


@pytest.mark.parametrize(
    "changed",
    [{"tau": 0.9}, {"alpha": 1e-9}, {"correction": "bonferroni"}],
    ids=str,
)
def test_each_setting_is_the_one_decided_with(changed: dict[str, Any]) -> None:
    got = Settings(perturbation=Gaussian(0.25), **changed).decide(tally())
    wanted = decide(tally(), **changed)
    assert (got.threshold, got.radius, got.statement()) == (
        wanted.threshold,
        wanted.radius,
        wanted.statement(),
    )
    np.testing.assert_array_equal(got.labels, wanted.labels)


def test_too_few_draws_for_a_shared_alpha_are_refused_with_the_number_that_is_enough() -> None:
    settings = Settings(
        perturbation=Gaussian(0.25), n=62, alpha=0.001, alpha_scope="dataset", inputs=50
    )
    assert Settings(perturbation=Gaussian(0.25), n=62, alpha=0.001).can_certify(43_200)
    with pytest.raises(ParameterError, match="--n 75 or more"):
        settings.refuse_hopeless(43_200)
