"""CERTIFY and PREDICT (Cohen et al. 2019) on a classifier whose smoothed radius is known exactly.

The certified radius must not exceed the true one more often than alpha says; see `classifier`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from classifier import ClassifierDialect, MeanColour
from scipy.stats import binom, binomtest, norm

from onnxcert import Gaussian, OnnxSegmenter, certify
from onnxcert.sampling import Count, sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import decide
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.rule import Rule

FUNCTION = MeanColour()
SIGMA = 0.5
ALPHA = 0.1
RUNS = 400
CERTIFY = Rule(tau=0.5, alpha=ALPHA, correction="bonferroni", radius_map=True, floor=0.5)
PREDICT = Rule(tau=0.5, alpha=ALPHA, correction="bonferroni", procedure="predict")


def picture(probability: float) -> np.ndarray[Any, Any]:
    """A grey picture [3, 4, 4] on which class 1 has this probability under the noise."""
    shift = norm.ppf(probability) * SIGMA * np.linalg.norm(FUNCTION.weight[1]) / 4
    return np.full((3, 4, 4), 0.5 + shift / np.sum(FUNCTION.weight[1]), np.float32)


@cache
def segmenter(folder: Path) -> OnnxSegmenter:
    path = graphs.save(ClassifierDialect().proto(FUNCTION), folder / "model.onnx")
    return OnnxSegmenter.open(path, device="cpu", threads=1, value_range=(0.0, 1.0))


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> OnnxSegmenter:
    return segmenter(tmp_path_factory.mktemp("classifier"))


def tally(
    segment: OnnxSegmenter,
    x: np.ndarray[Any, Any],
    seed: int,
    *,
    n: int,
    n0: int = 10,
    selection: Selection = "split",
    second: bool = False,
) -> Tally:
    draws = Draws(Gaussian(SIGMA), seed, digest(x))
    count = Count(draws, n, n0, selection, 2, second=second)
    count.unit, count.kind = segment.unit, str(segment.component)
    return sample(segment, x, count, batch_size=100)


@pytest.mark.parametrize("probability", [0.5, 0.7, 0.99])
def test_votes_have_the_probability_of_the_closed_form(
    segment: OnnxSegmenter, probability: float
) -> None:
    votes = tally(segment, picture(probability), 1, n=4000)
    yes = int(votes.hits[0]) if votes.candidate[0] == 1 else 4000 - int(votes.hits[0])
    assert binomtest(yes, 4000, probability).pvalue > 1e-4


def overstated(certificate: Certificate, distance: float) -> bool:
    """Whether the certificate claims more than is true: another class, or too large a radius."""
    if certificate.labels[0] < 0:
        return False
    return bool(certificate.labels[0] != 1 or certificate.radii[0] > distance)


@pytest.mark.slow
@pytest.mark.parametrize("selection", ["split", "pooled"])
def test_the_certified_radius_exceeds_the_true_one_no_more_often_than_alpha(
    segment: OnnxSegmenter, selection: Selection
) -> None:
    x, n = picture(0.8), 100
    distance = FUNCTION.distance(x)
    assert distance == pytest.approx(SIGMA * norm.ppf(0.8), rel=1e-5)
    tallies = [tally(segment, x, seed, n=n, selection=selection) for seed in range(RUNS)]
    errors = sum(overstated(decide(one, CERTIFY), distance) for one in tallies)
    # P(hits that overstate), from the definition: hits whose tail at the true p is below alpha.
    exact = binom.sf(np.arange(-1, n), n, 0.8)
    attained = exact[exact <= ALPHA].max()
    assert attained > 0.6 * ALPHA  # or the test could not fail
    assert errors <= binom.ppf(1 - 1e-6, RUNS, ALPHA)
    assert binomtest(errors, RUNS, attained).pvalue > 1e-4
    # What forgets the uncertainty is caught by the same count.
    naive = sum(SIGMA * norm.ppf(one.hits[0] / n) > distance for one in tallies)
    assert naive > binom.ppf(1 - 1e-6, RUNS, ALPHA)


def test_the_radius_is_that_of_clopper_and_pearson(segment: OnnxSegmenter) -> None:
    votes = tally(segment, picture(0.9), 3, n=500)
    bound = binomtest(int(votes.hits[0]), 500, alternative="greater").proportion_ci(1 - ALPHA)
    found = decide(votes, CERTIFY).radii[0]
    assert found <= SIGMA * norm.ppf(bound.low)
    assert found == pytest.approx(SIGMA * norm.ppf(bound.low), rel=1e-8)


@pytest.mark.slow
def test_the_certified_radius_approaches_the_true_one(segment: OnnxSegmenter) -> None:
    x = picture(0.9)
    rule = CERTIFY.but(alpha=0.001)
    shares = []
    for n in (30, 300, 3000, 30000):
        radius = decide(tally(segment, x, 2, n=n), rule).radii[0]
        shares.append(radius / FUNCTION.distance(x))
    assert shares == sorted(shares)
    assert 0.97 < shares[-1] < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("probability", [0.5, 0.53])
def test_predict_abstains_near_the_boundary(segment: OnnxSegmenter, probability: float) -> None:
    x = picture(probability)
    tallies = [
        tally(segment, x, seed, n=100, n0=100, selection="pooled", second=True)
        for seed in range(RUNS)
    ]
    answers = np.array([decide(one, PREDICT).labels[0] for one in tallies])
    wrong = int((answers == 0).sum()) if probability > 0.5 else int((answers >= 0).sum())
    assert wrong <= binom.ppf(1 - 1e-6, RUNS, ALPHA)
    assert (answers == -1).mean() > 0.75
    # The most frequent class alone would be wrong far more often.
    leading = np.array([one.candidate[0] for one in tallies])
    if probability > 0.5:
        assert (leading == 0).sum() > binom.ppf(1 - 1e-6, RUNS, ALPHA)


def test_predict_answers_away_from_it(segment: OnnxSegmenter) -> None:
    x = picture(0.9)
    votes = tally(segment, x, 4, n=100, n0=100, selection="pooled", second=True)
    assert decide(votes, PREDICT.but(alpha=0.001)).labels.tolist() == [1]


def test_the_statement_names_the_picture_as_its_one_component(segment: OnnxSegmenter) -> None:
    certificate = certify(segment, picture(0.9), Gaussian(SIGMA), seed=1, correction="bonferroni")
    assert certificate.labels.shape == (1,)
    assert "N 1 component (the whole picture)" in certificate.statement()
