"""Mistakes that were really made elsewhere, and the tests that would have caught them."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from scipy.stats import binom
from soundness.recording import Recording, assert_every_draw_has_its_own_noise
from statsmodels.stats.multitest import multipletests

from onnxcert.correction import CORRECTIONS
from onnxcert.decision import decide, p_values
from onnxcert.draws import Draws, digest
from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.result import Tally
from onnxcert.rule import Rule
from onnxcert.sampling import Count, Hits, sample

X = np.random.default_rng(1).random((3, 10, 12), dtype=np.float32)
SIGMA = 0.3


# -- one draw copied through the batch ---------------------------------------------------------


class Copied(Draws):
    """`aug(img) for im in images`: the first draw of a batch, once for every row."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray) -> None:
        super().write(x, indices[:1], out[:1])
        out[1:] = out[0]


class CopiedInPart(Draws):
    """The last row of each batch shares a third of its noise with the first."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray) -> None:
        super().write(x, indices, out)
        if len(indices) > 1:
            out[-1, 0] = out[0, 0]


class CleanFirst(Draws):
    """The clean input counted as draw 0."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray) -> None:
        super().write(x, indices, out)
        if indices[0] == 0:
            out[0] = x


class InNetworkUnits(Draws):
    """Noise after a division by a standard deviation of 0.229: 1/0.229 of what was declared."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray) -> None:
        super().write(x, indices, out)
        out[...] = x + (out - x) / np.float32(0.229)


class Uniform(Draws):
    """The declared mean and variance, but not the law."""

    def write(self, x: np.ndarray, indices: range, out: np.ndarray) -> None:
        for row, i in enumerate(indices):
            half = SIGMA * 3**0.5
            out[row] = x + self.rng(i).uniform(-half, half, x.shape)


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


def test_the_harm_of_hochberg() -> None:
    """Two components, each with the null law Bin(n, 1/2). Their joint law: p <= alpha / 2 never
    happens to both at once, alpha / 2 < p <= alpha always to both. Holm errs at alpha, Hochberg
    at 3/2 alpha (1.35 alpha here, as votes are whole numbers)."""
    n, alpha = 394, 0.1
    table = p_values(n, 0.5, "split")
    pmf = binom.pmf(np.arange(n + 1), n, 0.5)
    strong, weak = (int(np.argmax(table <= a)) for a in (alpha / 2, alpha))
    # The rest of each margin is far from every level; low stands for it.
    low = n // 2
    joint = [(x, low, pmf[x]) for x in range(strong, n + 1)]
    joint += [(low, x, pmf[x]) for x in range(strong, n + 1)]
    joint += [(x, x, pmf[x]) for x in range(weak, strong)]
    hochberg = holm = 0.0
    for *hits, chance in joint:
        rejected = multipletests(table[hits], alpha, method="simes-hochberg")[0]
        hochberg += chance * bool(rejected.any())
        histogram = np.bincount(hits, minlength=n + 1)
        holm += chance * (max(hits) >= CORRECTIONS["holm"].threshold(table, histogram, alpha))
    assert 0.95 * alpha < holm <= alpha
    assert hochberg > 1.3 * alpha


# -- no family-wise control at all -------------------------------------------------------------


def test_the_harm_of_testing_each_component_at_alpha() -> None:
    """Null calibration with N > 1 is in test_calibration.py; this is what it would find."""
    n, tau, alpha, components = 100, 0.75, 1e-3, 2048
    table = p_values(n, tau, "split")
    per_component = table[int(np.argmax(table <= alpha))]
    assert 1 - (1 - per_component) ** components > 500 * alpha
