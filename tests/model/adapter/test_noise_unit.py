"""Sigma is measured where the user declares it, in [0, 1]: before anything the model does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm

import onnxcert
from onnxcert import Gaussian, OnnxSegmenter
from onnxcert.model.adapter.resize import Fit

Array = npt.NDArray[Any]
SIGMA = 0.25


def network_values(
    folder: Path, *, value_range: tuple[float, float], mean: float, std: float, level: float
) -> tuple[Array, float]:
    """What reaches the network in the counted draws of a picture of one grey `level`, and the
    resolution it was measured with."""
    low, high = value_range
    centre = (low + level * (high - low) - mean) / std
    spread = SIGMA * (high - low) / std
    centres = centre + spread * np.linspace(-5, 5, 201)
    path = graphs.save(graphs.quantiser(centres), folder / "model.onnx")
    segment = OnnxSegmenter.open(
        path, value_range=value_range, mean=(mean,) * 3, std=(std,) * 3, threads=1
    )
    seen: list[Array] = []

    def recording(batch: Array) -> Array:
        labels = segment(batch)
        seen.append(labels)
        return labels

    x = np.full((3, 16, 16), level, np.float32)
    onnxcert.certify(recording, x, Gaussian(SIGMA), classes=201, seed=11, batch_size=1)
    counted = np.concatenate(seen)[-100:]
    return centres[counted], float(spread * 10 / 200)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value_range", "mean", "std"),
    [
        ((0, 1), 0.0, 1.0),
        ((0, 255), 0.0, 1.0),
        ((0, 1), 0.4, 0.3),
        ((0, 255), 116.0, 57.0),
        ((-1, 1), 0.0, 1.0),
    ],
)
def test_noise_reaches_the_network_in_the_unit_of_the_network(
    tmp_path: Path, value_range: tuple[float, float], mean: float, std: float
) -> None:
    low, high = value_range
    values, resolution = network_values(
        tmp_path, value_range=value_range, mean=mean, std=std, level=0.3
    )
    expected = SIGMA * (high - low) / std
    samples = values.size
    assert resolution < expected / 10
    # Five standard errors of the mean and of the standard deviation.
    assert abs(values.mean() - (low + 0.3 * (high - low) - mean) / std) < (
        5 * expected / np.sqrt(samples) + resolution / 10
    )
    assert abs(values.std() - expected) < 5 * expected / np.sqrt(2 * samples) + resolution / 10
    assert not np.any(np.ptp(values, axis=0) == 0)


@pytest.mark.slow
def test_at_a_scale_the_noise_is_drawn_at_native_resolution_and_averaged_by_the_resize(
    tmp_path: Path,
) -> None:
    # Halving averages 2 x 2 independent pixels: the network sees half of sigma.
    centres = 0.5 + SIGMA * np.linspace(-5, 5, 201)
    segment = OnnxSegmenter.open(
        graphs.save(graphs.quantiser(centres, contract=graphs.UNIT_RANGE), tmp_path / "model.onnx"),
        fit=Fit(scale=0.5),
        threads=1,
    )
    rng = np.random.default_rng(0)
    x = (0.5 + SIGMA * rng.standard_normal((8, 3, 64, 64))).astype(np.float32)
    # Scores that are linear in the value keep an argmax that interpolates the value as well: what
    # is read off at native resolution is a mixture of four network pixels, of weights 9, 3, 3, 1.
    expected = SIGMA / 2 * np.sqrt(9**2 + 3**2 + 3**2 + 1) / 16
    measured = centres[segment(x)][:, 2:-2, 2:-2].std()
    assert abs(measured - expected) < 0.03 * expected


def test_the_share_of_votes_is_that_of_the_normal_law(tmp_path: Path) -> None:
    # Grey 0.5 against a threshold at 0.55: the mean of three channels exceeds it with
    # probability Phi(-0.05 / (0.2 / sqrt(3))).
    tally = onnxcert.certify(
        graphs.save(graphs.threshold(0.55), tmp_path / "model.onnx"),
        np.full((3, 32, 32), 0.5, np.float32),
        Gaussian(0.2),
        seed=5,
        threads=1,
    ).tally
    votes = np.where(tally.candidate == 1, tally.hits, tally.n - tally.hits)
    expected = norm.cdf(-0.05 / (0.2 / np.sqrt(3)))
    assert abs(votes.mean() / 100 - expected) < 5 * np.sqrt(expected * (1 - expected) / 102400)
