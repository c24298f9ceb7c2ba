"""Expected shares at several tau: leaving certificates out afterwards would not be conservative."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from onnxcert.perturbation import Gaussian
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Tally
from onnxcert.statistics import Family, decide, get_correction
from onnxcert.statistics.rule import Rule

N, DRAWS, ALPHA = 1_000_000, 100, 1e-3


@pytest.mark.parametrize(
    ("taus", "right", "nulls"), [((0.5, 0.6), 80, 5000), ((0.55, 0.65), 83, 5000)]
)
def test_the_share_holds_at_the_larger_tau(
    taus: tuple[float, float], right: int, nulls: int
) -> None:
    """`nulls` components have P(vote = candidate) = the larger tau, the others P = right / DRAWS.

    Their joint law: no two nulls get a high count at once, and when one of them does, every other
    component gets just `right` hits (each has that count often enough for it). Thresholds raised
    to that of the smaller tau, which has the larger reserve, then leave out all that is right.
    """
    alone = Family(N, taus[0], ALPHA, get_correction("benjamini-yekutieli"), "pooled")
    hits = np.full(N, right, dtype=np.uint8)
    hits[:nulls] = 0
    high = alone.threshold(DRAWS, np.bincount(hits, minlength=DRAWS + 1))
    assert right < high
    chance = nulls * float(binom.sf(high - 1, DRAWS, taus[1]))  # that some null gets that high
    assert 10 * ALPHA < chance < binom.pmf(right, DRAWS, right / DRAWS)
    hits[0] = high
    zeros = np.zeros(N, np.uint8)
    draws = Draws(Gaussian(0.25), 1, "0" * 64)
    tally = Tally(zeros, hits, zeros, DRAWS, 10, "pooled", 2, 0, draws)
    rule = Rule(tau=taus[1], more_taus=taus[:1], alpha=ALPHA, correction="benjamini-yekutieli")
    certified = decide(tally, rule).labels_at(taus[1]) >= 0
    wrong = np.count_nonzero(certified[:nulls])
    assert chance * wrong / max(np.count_nonzero(certified), 1) <= ALPHA
