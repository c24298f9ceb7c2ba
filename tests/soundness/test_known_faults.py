"""Mistakes that were really made elsewhere, and the tests that would have caught them."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import numpy as np
import pytest
from recording import Recording, assert_every_draw_has_its_own_noise
from scipy.stats import binom
from statsmodels.stats.multitest import multipletests

from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.sampling import Count, Hits, sample
from onnxcert.sampling.backend import NUMPY, Backend
from onnxcert.sampling.backend.in_memory import stream
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Tally
from onnxcert.statistics import OneSidedLevel, decide, p_values
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.rule import Rule

X = np.random.default_rng(1).random((3, 10, 12), dtype=np.float32)
SIGMA = 0.3


# -- one draw copied through the batch ---------------------------------------------------------


class Broken(Draws):
    """Draws that a subclass writes wrongly, whoever asks for them."""

    def writer(self, x: np.ndarray, backend: Backend = NUMPY) -> Any:
        return lambda indices, out: self.write(x, indices, out, backend)

    def sound(self, x: np.ndarray, indices: range, out: np.ndarray, *on: Any) -> None:
        Draws.writer(self, x, *on)(indices, out)


class Copied(Broken):
    """`aug(img) for im in images`: the first draw of a batch, once for every row."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray, *_: Any) -> None:
        self.sound(x, indices[:1], out[:1])
        out[1:] = out[0]


class CopiedInPart(Broken):
    """The last row of each batch shares a third of its noise with the first."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray, *on: Any) -> None:
        self.sound(x, indices, out, *on)
        if len(indices) > 1:
            out[-1, 0] = out[0, 0]


class CleanFirst(Broken):
    """The clean input counted as draw 0."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray, *on: Any) -> None:
        self.sound(x, indices, out, *on)
        if indices[0] == 0:
            out[0] = x


class InNetworkUnits(Broken):
    """Noise after a division by a standard deviation of 0.229: 1/0.229 of what was declared."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray, *on: Any) -> None:
        self.sound(x, indices, out, *on)
        out[...] = x + (out - x) / np.float32(0.229)


class Uniform(Broken):
    """The declared mean and variance, but not the law."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray, *_: Any) -> None:
        for row, i in enumerate(indices):
            half = SIGMA * 3**0.5
            out[row] = x + stream(self.seed, self.digest, i).uniform(-half, half, x.shape)


def inputs_of(kind: type[Draws], batch_size: int) -> np.ndarray:
    model = Recording()
    draws = kind(Gaussian(SIGMA), 11, digest(X))
    sample(model, X, Count(draws, 150, 30, "pooled", 3), batch_size=batch_size)
    return model.inputs


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (Copied, "two draws are equal"),
        (CopiedInPart, "draws share noise"),
        (CleanFirst, "clean input was counted"),
        (InNetworkUnits, "variance"),
        (Uniform, "not normal"),
    ],
)
def test_the_recording_model_exposes_broken_draws(broken: type[Draws], complaint: str) -> None:
    assert_every_draw_has_its_own_noise(inputs_of(Draws, 4), X, SIGMA)
    with pytest.raises(AssertionError, match=complaint):
        assert_every_draw_has_its_own_noise(inputs_of(broken, 4), X, SIGMA)


def test_the_tally_of_copied_draws_depends_on_the_batch_size() -> None:
    def hits(kind: type[Draws], batch_size: int) -> np.ndarray:
        draws = kind(Gaussian(SIGMA), 11, digest(X))
        count = Count(draws, 100, 10, "pooled", 3)
        return sample(Recording(), X, count, batch_size=batch_size).hits

    assert not np.array_equal(hits(Copied, 1), hits(Copied, 4))
    np.testing.assert_array_equal(hits(Draws, 1), hits(Draws, 4))


def level_of_copied_draws(groups: list[int], hits: int, tau: float) -> float:
    """P(votes >= hits) where each group of votes is one vote counted so many times."""
    law = np.ones(1)
    for size in groups:
        vote = np.zeros(size + 1)
        vote[0], vote[size] = 1 - tau, tau
        law = np.convolve(law, vote)
    return float(law[hits:].sum())


def test_the_harm_of_copied_draws() -> None:
    """100 votes for 2^21 components at tau = 3/4 and alpha = 1e-3, a level of 4.8e-10 each."""
    n, tau, level = 100, 0.75, 1e-3 / 2**21
    assert level == pytest.approx(4.8e-10, rel=0.01)
    threshold = int(np.argmax(p_values(n, tau, "split") <= level))
    assert threshold == 98
    assert level_of_copied_draws([1] * n, threshold, tau) <= level
    # Batches of 4 that go on after n0 = 10 selection draws: 2, 4, ..., 4, 2.
    four = level_of_copied_draws([2, *[4] * 24, 2], threshold, tau)
    assert four == pytest.approx(9.4e-4, rel=0.01)
    assert level_of_copied_draws([4] * 25, threshold, tau) == pytest.approx(7.5e-4, rel=0.01)
    assert level_of_copied_draws([24, 24, 24, 24, 4], threshold, tau) == pytest.approx(
        0.24, rel=0.02
    )


# -- counts over n, tested with n - n0 ---------------------------------------------------------


def test_hits_and_n_come_from_one_tally() -> None:
    """110 votes cannot be tested as if they were of 100 draws; nor can p-values be asked for
    with another n than the tally's."""
    zeros = np.zeros(1, np.uint8)
    draws = Draws(Gaussian(SIGMA), 1, digest(X))
    with pytest.raises(ParameterError, match="hits must lie between 0 and the 100 draws"):
        Tally(zeros, np.array([110]), zeros, 100, 10, "split", 2, 0, draws)
    assert "n" not in inspect.signature(decide).parameters
    # The harm: 88 of 100 votes, a p-value of 0.001, as if they were of 90: 3e-9.
    assert binom.sf(87, 100, 0.75) > 1e-3
    assert binom.sf(87, 90, 0.75) < 1e-8


def test_split_selection_counts_no_selection_draw() -> None:
    votes = iter([0] * 10 + [1] * 100)
    count = Count(Draws(Gaussian(SIGMA), 1, digest(X)), 100, 10, "split", 2)
    tally = sample(lambda b: np.array([[next(votes)] for _ in b]), X, count)
    assert tally.candidate.tolist() == [0]
    assert tally.hits.tolist() == [0]
    assert isinstance(count.hits, Hits)
    assert count.hits.counted == (range(10, 110),)


# -- the clean input counted as a draw ---------------------------------------------------------


@pytest.mark.parametrize("selection", ["pooled", "split"])
def test_the_clean_input_is_never_shown_while_votes_are_counted(selection: str) -> None:
    model = Recording()
    draws = Draws(Gaussian(SIGMA), 11, digest(X))
    sample(model, X, Count(draws, 40, 10, selection, 3))  # type: ignore[arg-type]
    unchanged = np.mean(model.inputs == X, axis=(1, 2, 3))
    assert unchanged.max() < 0.02


# -- corrections that need to know how components depend on each other --------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("hochberg", "simes-hochberg", "hommel", "sidak", "holm-sidak", "simes"),
        *("fdr_bh", "benjamini-hochberg", "fdr_tsbh", "none"),
    ],
)
def test_a_correction_that_assumes_a_dependence_is_refused(name: str) -> None:
    zeros = np.zeros(2, np.uint8)
    draws = Draws(Gaussian(SIGMA), 1, digest(X))
    tally = Tally(zeros, np.array([100, 100]), zeros, 100, 10, "pooled", 2, 0, draws)
    with pytest.raises(
        ParameterError, match=r"cannot back a certificate|must be one of bonferroni, holm"
    ):
        decide(tally, Rule(correction=name))
    assert name not in CORRECTIONS


def exclusive_errors(n: int, alpha: float) -> list[tuple[int, int, float]]:
    """A joint law of two components with the null law Bin(n, 1/2) each: p <= alpha / 2 never
    happens to both at once, alpha / 2 < p <= alpha always to both."""
    table = p_values(n, 0.5, "split")
    pmf = binom.pmf(np.arange(n + 1), n, 0.5)
    strong, weak = (int(np.argmax(table <= a)) for a in (alpha / 2, alpha))
    # The rest of each margin is far from every level; low stands for it.
    low = n // 2
    joint = [(x, low, float(pmf[x])) for x in range(strong, n + 1)]
    joint += [(low, x, float(pmf[x])) for x in range(strong, n + 1)]
    return joint + [(x, x, float(pmf[x])) for x in range(weak, strong)]


def error_of(name: str, joint: list[tuple[int, int, float]], n: int, alpha: float) -> float:
    """P(any rejected) by our correction, or else by statsmodels' procedure of that name."""
    table = p_values(n, 0.5, "split")
    error = 0.0
    for *hits, chance in joint:
        if name in CORRECTIONS:
            histogram = np.bincount(hits, minlength=n + 1)
            error += chance * (max(hits) >= CORRECTIONS[name].threshold(table, histogram, alpha))
        else:
            error += chance * bool(multipletests(table[hits], alpha, method=name)[0].any())
    return error


def test_the_harm_of_hochberg_and_of_benjamini_hochberg() -> None:
    """Holm errs at alpha, Hochberg at 3/2 alpha (1.35 alpha here, as votes are whole numbers), and
    so does Benjamini-Hochberg: where all hypotheses are true, the share of wrong ones is 1 as soon
    as one is rejected. Benjamini-Yekutieli stays below alpha."""
    n, alpha = 394, 0.1
    joint = exclusive_errors(n, alpha)
    assert 0.95 * alpha < error_of("holm", joint, n, alpha) <= alpha
    assert error_of("benjamini-yekutieli", joint, n, alpha) <= alpha
    for name in ("simes-hochberg", "hommel", "fdr_bh"):
        assert error_of(name, joint, n, alpha) > 1.3 * alpha


# -- k-FWER with the wrong denominator ------------------------------------------------------------


def misread_step_down(p: np.ndarray, alpha: float, k: int) -> np.ndarray:
    """k alpha / (N + 1 - i) in place of k alpha / (N + k - i) beyond the k-th."""
    order = np.argsort(p, kind="stable")
    rejected = np.zeros(len(p), bool)
    for i, j in enumerate(order, 1):
        if p[j] > (k * alpha / len(p) if i <= k else k * alpha / (len(p) + 1 - i)):
            break
        rejected[j] = True
    return rejected


def stepped_down(p: np.ndarray, alpha: float, k: int) -> np.ndarray:
    """Ours, on a table with one row for each p-value."""
    table, hits = np.unique(-p, return_inverse=True)
    histogram = np.bincount(hits, minlength=len(table))
    return hits >= CORRECTIONS["kfwer-stepdown"].threshold(-table, histogram, alpha, k=k)


def test_the_misread_step_down_certifies_a_component_without_any_evidence() -> None:
    p = np.array([0.0] * 99 + [1.0])
    assert misread_step_down(p, 0.1, 10).all()
    assert stepped_down(p, 0.1, 10).tolist() == [True] * 99 + [False]


@pytest.mark.parametrize("k", [2, 3])
def test_the_harm_of_the_misread_step_down(k: int) -> None:
    """Ten components that are certain, and k nulls of law Bin(n, 1/2). Of the nulls one has
    p <= alpha, another one p between alpha and k alpha / (k - 1), and so on up to k alpha, in all
    orders alike: the misread levels reject all k, with a probability far above alpha."""
    n, alpha, certain = 3000, 0.05, 10
    table = p_values(n, 0.5, "split")
    levels = [k * alpha / (k + 1 - j) for j in range(1, k + 1)]
    edges = [n + 1, *(int(np.argmax(table <= level)) for level in levels)]
    # Rotating who is in which band gives each null every band with the chance of one rotation.
    bands = [range(low, high) for high, low in itertools.pairwise(edges)]
    chance = min(float(binom.pmf(np.array(band), n, 0.5).sum()) for band in bands)
    hits = np.array([[bands[(j + turn) % k][0] for j in range(k)] for turn in range(k)])
    misread = ours = 0.0
    for row in hits:
        p = np.concatenate([np.zeros(certain), table[row]])
        misread += chance * (misread_step_down(p, alpha, k)[certain:].sum() >= k)
        ours += chance * (stepped_down(p, alpha, k)[certain:].sum() >= k)
    assert misread > 1.3 * alpha
    assert ours <= alpha
    # Ours at its own worst: the k nulls alike, or spread over its own levels.
    alike = max(
        float(table[x])
        for x in range(n + 1)
        if stepped_down(np.concatenate([np.zeros(certain), np.full(k, table[x])]), alpha, k).all()
    )
    assert alike <= alpha


# -- Holm's levels as confidence bounds ------------------------------------------------------------


def test_the_harm_of_holm_levels_as_confidence_bounds() -> None:
    """Four components with P = .55, .65, .75 and .85: 2000 votes sort them. Lower bounds at the
    level alpha / (5 - i) that Holm tested the i-th best at exclude the truth with alpha / 4, / 3,
    / 2 and / 1: 2.08 alpha where no two happen at once. Bounds at alpha / 4 hold."""
    n, alpha, truth = 2000, 0.05, (0.85, 0.75, 0.65, 0.55)
    by_holm = by_map = 0.0
    rule = Rule(tau=0.5, alpha=alpha, correction="bonferroni", radius_map=True)
    zeros = np.zeros((1, 4), np.uint8)
    draws = Draws(Gaussian(SIGMA), 1, digest(X))
    for i, p in enumerate(truth, 1):
        law = binom.pmf(np.arange(n + 1), n, p)
        test = OneSidedLevel(n, alpha / (5 - i), "split", 0.5)
        by_holm += float(law[test.lower_bounds() >= p].sum())
        # The same through the certificate: whose radius exceeds that of the truth?
        first = int(np.argmax(OneSidedLevel(n, alpha / 4, "split", 0.5).lower_bounds() >= p))
        hits = np.array([[first, first - 1, n, 0]])
        certificate = decide(Tally(zeros, hits, zeros, n, 10, "split", 2, 0, draws), rule)
        exact = Gaussian(SIGMA).radius(p)
        assert (certificate.radii >= exact).tolist() == [[True, False, True, False]]
        by_map += float(law[first:].sum())
    assert by_holm > 1.8 * alpha
    assert 0.85 * alpha < by_map <= alpha


@pytest.mark.parametrize("name", [name for name in CORRECTIONS if name != "bonferroni"])
def test_no_radius_map_but_under_bonferroni(name: str) -> None:
    zeros = np.zeros(2, np.uint8)
    draws = Draws(Gaussian(SIGMA), 1, digest(X))
    tally = Tally(zeros, np.array([100, 100]), zeros, 100, 10, "pooled", 2, 0, draws)
    with pytest.raises(ParameterError, match="a radius map needs --correction bonferroni"):
        decide(tally, Rule(correction=name, radius_map=True))


# -- no family-wise control at all -------------------------------------------------------------


def test_the_harm_of_testing_each_component_at_alpha() -> None:
    """Null calibration with N > 1 is in test_calibration.py; this is what it would find."""
    n, tau, alpha, components = 100, 0.75, 1e-3, 2048
    table = p_values(n, tau, "split")
    per_component = table[int(np.argmax(table <= alpha))]
    assert 1 - (1 - per_component) ** components > 500 * alpha
