"""Several tau in one run under each correction, and what would break without the care taken."""

from __future__ import annotations

import itertools

import numpy as np
from exact import tally_of
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.stats import binom

from onnxcert.sampling.tally import Selection
from onnxcert.statistics import Family, OneSidedLevel, decide, p_values
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.rule import Budget, Rule


@given(
    hits=st.lists(st.integers(0, 90), min_size=1, max_size=30),
    taus=st.lists(st.sampled_from([0.5, 0.51, 0.55, 0.6, 0.75, 0.9]), min_size=2, unique=True),
    alpha=st.floats(1e-4, 0.5),
    correction=st.sampled_from(sorted(CORRECTIONS)),
    selection=st.sampled_from(["pooled", "split"]),
)
@examples(300)
def test_each_tau_certifies_what_every_larger_one_does_and_single_steps_no_more_than_alone(
    hits: list[int], taus: list[float], alpha: float, correction: str, selection: Selection
) -> None:
    rule = Rule(
        tau=taus[0],
        more_taus=tuple(taus[1:]),
        alpha=alpha,
        correction=correction,
        budget=Budget("40%" if correction.startswith("kfwer") else "0"),
    )
    tally = tally_of(hits, 90, selection)
    together = decide(tally, rule)
    assert together.levels.tolist() == sorted(taus)
    certified = [together.labels_at(tau) >= 0 for tau in sorted(taus)]
    for low, high in itertools.pairwise(certified):
        assert np.all(low >= high)
    for tau, threshold in zip(taus, together.thresholds, strict=True):
        alone = decide(tally, rule.but(tau=tau, more_taus=()))
        if correction in ("bonferroni", "kfwer"):
            assert np.all((together.labels_at(tau) >= 0) <= (alone.labels >= 0))
        np.testing.assert_array_equal(together.labels_at(tau) >= 0, tally.hits >= threshold)


def test_single_steps_pay_nothing_for_several_tau_from_a_floor_of_sixty_per_cent_on() -> None:
    hits = np.arange(301)
    for correction in ("bonferroni", "kfwer"):
        for selection in ("split", "pooled"):
            rule = Rule(tau=0.75, more_taus=(0.6, 0.9), correction=correction)
            together = decide(tally_of(hits, 300, selection), rule)  # type: ignore[arg-type]
            for tau in rule.taus:
                alone = decide(tally_of(hits, 300, selection), rule.but(tau=tau, more_taus=()))  # type: ignore[arg-type]
                np.testing.assert_array_equal(together.labels_at(tau), alone.labels)


@given(
    n=st.integers(10, 200),
    components=st.integers(1, 60),
    pair=st.sampled_from([(0.5, 0.51), (0.5, 0.55), (0.5, 0.6), (0.51, 0.6), (0.55, 0.75)]),
    alpha=st.floats(1e-3, 0.5),
    seed=st.integers(0, 1000),
)
@examples(300)
def test_an_expected_share_is_stepped_anew_at_each_tau_and_never_cut_afterwards(
    n: int, components: int, pair: tuple[float, float], alpha: float, seed: int
) -> None:
    """The certified at each tau are just those that Benjamini-Yekutieli rejects at one reserve."""
    rng = np.random.default_rng(seed)
    hits = rng.binomial(n, rng.uniform(0.5, 1.0, components))
    by = CORRECTIONS["benjamini-yekutieli"]
    rule = Rule(tau=pair[0], more_taus=pair[1:], alpha=alpha, correction=by.name)
    certificate = decide(tally_of(hits, n), rule)
    families = [Family(components, tau, alpha, by, "pooled") for tau in pair]
    reserve = max(f.reserve(n) for f in families)
    histogram = np.bincount(hits, minlength=n + 1)
    for tau, threshold in zip(pair, certificate.thresholds, strict=True):
        table = p_values(n, tau, "pooled")
        stepped = by.threshold(table, histogram, alpha, reserve=reserve)
        if reserve >= alpha:  # Bonferroni is left, which several tau share with one-sided levels
            stepped = OneSidedLevel(n, alpha / components, "pooled", min(pair)).threshold(tau)
        np.testing.assert_array_equal(hits >= threshold, hits >= stepped)


def test_raising_a_threshold_after_stepping_up_would_break_the_expected_share() -> None:
    """200 components at .5 and .55 of 86 pooled votes, alpha .01: half of them with P = .55, the
    others with more. A law in which one of the first has 63 hits while the others have 62 each
    shows both sides: stepping up at .55 certifies all of them, one wrong of 101; cutting at the 63
    that .5 needs (where its reserve leaves Bonferroni) certifies the wrong one alone."""
    n, components, alpha, taus = 86, 200, 0.01, (0.5, 0.55)
    hits = np.full(components, n // 2)
    hits[0], hits[100:] = 63, 62
    tally = tally_of(hits, n)
    rule = Rule(alpha=alpha, correction="benjamini-yekutieli")
    single = [decide(tally, rule.but(tau=tau)) for tau in taus]
    assert single[0].threshold == 63
    assert single[1].threshold <= 62
    # Each of the 100 has 63 hits or more with 3.8e-4, one at a time; the others, with P = .72, all
    # have 62 just then, which they do with a probability of 9.5 %: the share is 1 that often.
    chance = 100 * float(binom.sf(62, n, taus[1]))
    assert chance < float(binom.pmf(62, n, 0.72))
    assert chance > 3.7 * alpha
    together = decide(tally, rule.but(tau=taus[0], more_taus=taus[1:]))
    wrong = (together.labels_at(taus[1]) >= 0)[:100].sum()
    certified = (together.labels_at(taus[1]) >= 0).sum()
    assert chance * wrong / max(certified, 1) <= alpha
