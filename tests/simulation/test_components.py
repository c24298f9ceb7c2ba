"""Votes made from one uniform number have the law of votes cast one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from onnxcert.sampling.tally import Selection
from onnxcert.simulation.components import votes

REPETITIONS = 60_000


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize(("p", "n", "n0"), [(0.6, 11, 3), (0.75, 8, 4), (0.5, 6, 6), (0.9, 20, 1)])
def test_candidate_and_hits_have_the_law_of_votes_cast_one_by_one(
    p: float, n: int, n0: int, selection: Selection
) -> None:
    rng = np.random.default_rng(7)
    candidate, hits = votes(rng.random(REPETITIONS), p, n, n0, selection, rng)
    early = binom.pmf(np.arange(n0 + 1), n0, p)
    for winner in (0, 1):
        leads = np.arange(n0 + 1) * 2 >= n0  # ties go to the first class
        chances = early * (leads if winner == 0 else ~leads)
        of_first = (
            np.convolve(chances, binom.pmf(np.arange(n - n0 + 1), n - n0, p))
            if selection == "pooled"
            else chances.sum() * binom.pmf(np.arange(n + 1), n, p)
        )
        law = of_first if winner == 0 else of_first[::-1]
        for x in range(n + 1):
            found = int(((candidate == winner) & (hits == x)).sum())
            chance = min(float(law[x]), 1.0)
            assert binomtest(found, REPETITIONS, chance).pvalue > 1e-6, (winner, x)
