"""A model that keeps what it is shown, and the law that its inputs must follow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kstest

from onnxcert.sampling import Count, sample

Labels = npt.NDArray[np.integer[Any]]
Rule = Callable[[npt.NDArray[np.float32]], Labels]


def thirds(batch: npt.NDArray[np.float32]) -> Labels:
    """Which third of [0, 1] the first channel lies in; outside it, a value that is no vote."""
    return np.asarray(np.floor(3 * batch[:, 0]).astype(np.int16))


class Recording:
    """Labels by `rule`, and copies every batch: the buffers behind them are used again."""

    def __init__(self, rule: Rule = thirds) -> None:
        self.rule = rule
        self.batches: list[npt.NDArray[np.float32]] = []
        self.answers: list[Labels] = []

    def __call__(self, batch: npt.NDArray[np.float32]) -> Labels:
        self.batches.append(batch.copy())
        labels = self.rule(batch)
        self.answers.append(labels.copy())
        return labels

    @property
    def inputs(self) -> npt.NDArray[np.float32]:
        return np.concatenate(self.batches)

    @property
    def labels(self) -> Labels:
        return np.concatenate(self.answers)


class Stop(Exception):
    """Stops a count between two batches."""


def count_until(model: Any, x: Any, count: Count, batch_size: int, batches: int) -> None:
    """Add draws to `count` until it has all, or stop after so many batches."""
    left = batches

    def stop(_: Count) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Stop

    with suppress(Stop):
        sample(model, x, count, batch_size=batch_size, on_batch=stop)


def assert_every_draw_has_its_own_noise(
    inputs: npt.NDArray[np.float32], x: npt.NDArray[np.float32], sigma: float
) -> None:
    """The rows of `inputs` are x + e, independent e ~ N(0, sigma^2 I), in the unit of x.

    All bounds are five standard errors or more, and the seeds of the callers are fixed.
    """
    noise = inputs.astype(np.float64).reshape(len(inputs), -1) - x.astype(np.float64).ravel()
    rows, values = noise.shape
    # Draw 0 included: the clean input is never a draw.
    assert np.count_nonzero(noise == 0.0) < 1e-3 * noise.size, "a clean input was counted"
    assert len({row.tobytes() for row in inputs}) == rows, "two draws are equal"
    z = noise / sigma
    assert abs(z.var() - 1.0) < 5.0 * np.sqrt(2.0 / z.size), "the variance is not sigma squared"
    # Two draws that share noise, wholly or in part, correlate.
    correlation = z @ z.T / values
    np.fill_diagonal(correlation, 0.0)
    assert np.abs(correlation).max() < 6.0 / np.sqrt(values), "draws share noise"
    # So do two components that share noise.
    correlation = z.T @ z / rows
    np.fill_diagonal(correlation, 0.0)
    assert np.abs(correlation).max() < 6.0 / np.sqrt(rows), "components share noise"
    assert abs(z.mean()) < 5.0 / np.sqrt(z.size), "the noise has a mean"
    assert kstest(z.ravel(), "norm").pvalue > 1e-3, "the noise is not normal"
