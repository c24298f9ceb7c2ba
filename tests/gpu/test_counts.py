"""Counts on a device are NumPy's counts of the same labels, whatever form the answer has."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from profiles import examples

from onnxcert.perturbation import AxisRotation, Gaussian, OnChannels, Rotation
from onnxcert.sampling import Count
from onnxcert.sampling.backend import NUMPY, DeviceBackend
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.kernels import GENERATOR, Scores

X = np.random.default_rng(0).random((3, 5, 6), dtype=np.float32)
NONE = 255


def voted(scores: Any, threshold: float | None) -> Any:
    """Labels of scores [B, C, *grid] by plain NumPy."""
    if threshold is None:
        labels = np.argmax(scores, axis=1)
    else:
        labels = scores[:, 0] > np.float32(threshold)
    finite = np.isfinite(scores).all(axis=1)
    return np.where(finite, labels, NONE).astype(np.uint8)


def score_batches(threshold: float | None, kind: str, grid: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(3)
    classes = 4 if threshold is None else 1
    batches = []
    for rows in (3, 2, 4, 1):
        scores = rng.normal(0, 2, (rows, classes, *grid)).astype(kind)
        scores[rng.random(scores.shape) < 0.05] = np.nan
        scores[rng.random(scores.shape) < 0.02] = np.inf
        batches.append(scores)
    return batches


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("threshold", [None, 0.25])
@pytest.mark.parametrize("form", ["scores", "channels last", "labels"])
@pytest.mark.parametrize("kind", ["float32", "float16"])
@pytest.mark.parametrize("grid", [(5, 6), (11,)])
def test_the_tally_is_that_of_the_labels(
    backend: DeviceBackend, selection: Any, threshold: Any, form: str, kind: str, grid: Any
) -> None:
    draws = Draws(Gaussian(0.3), 1, digest(X), GENERATOR)
    n0 = 5
    n = 10 if selection == "pooled" else 5
    second, classes = selection == "pooled", 4 if threshold is None else 2
    there, here = (
        Count(draws, n, n0, selection, classes, second=second, backend=b) for b in (backend, NUMPY)
    )
    for scores in score_batches(threshold, kind, grid):
        labels = voted(scores, threshold)
        answer: Any = backend.device(labels)
        if form == "scores":
            answer = Scores(backend.device(scores), grid, threshold)
        elif form == "channels last":
            last = backend.device(np.ascontiguousarray(np.moveaxis(scores, 1, -1)))
            answer = Scores(backend.xp.moveaxis(last, -1, 1), grid, threshold)
        there.add(answer)
        here.add(labels)
    a, b = there.tally(), here.tally()
    assert (a.nonfinite, a.joint) == (b.nonfinite, b.joint)
    assert b.nonfinite > 0
    for name in ("candidate", "hits", "single", "runner_up"):
        left, right = getattr(a, name), getattr(b, name)
        if right is None:
            continue
        assert type(left) is np.ndarray
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


def test_draws_in_which_all_hit_are_counted(backend: DeviceBackend) -> None:
    scores = np.zeros((4, 2, 3, 3), np.float32)
    scores[:, 1] = 1
    scores[2, 0, 1, 1] = 2
    hits = backend.xp.zeros((3, 3), dtype=np.uint8)
    candidate = backend.device(np.ones((3, 3), np.uint8))
    joint, invalid = backend.match(Scores(backend.device(scores), (3, 3)), candidate, hits, 2)
    assert (int(joint), int(invalid)) == (3, 0)
    assert backend.host(hits).tolist() == [[4, 4, 4], [4, 3, 4], [4, 4, 4]]


@pytest.mark.parametrize("classes", [2, 255, 256, 300])
def test_labels_have_room_for_no_vote(backend: DeviceBackend, classes: int) -> None:
    scores = np.zeros((2, classes, 3), np.float32)
    scores[0, classes - 1] = 1
    scores[1, 0] = np.nan
    labels = backend.host(backend.labels(Scores(backend.device(scores), (3,))))
    none = np.iinfo(labels.dtype).max
    assert none >= classes
    assert labels.tolist() == [[classes - 1] * 3, [none] * 3]


@examples(25, suppress_health_check=list(HealthCheck))
@given(
    start=st.integers(0, 2**33),
    cuts=st.lists(st.integers(1, 8), max_size=3),
    seed=st.integers(0, 2**63 - 1),
)
@pytest.mark.parametrize(
    "perturbation",
    [Gaussian(0.3), OnChannels(Gaussian(0.3), 1, 3), Rotation(0.2), AxisRotation(0.2, "z")],
)
def test_a_draw_depends_on_its_number_alone(
    backend: DeviceBackend, perturbation: Any, start: int, cuts: list[int], seed: int
) -> None:
    x = X.reshape(3, -1)
    draws = Draws(perturbation, seed, digest(x), GENERATOR)

    def rows(indices: range) -> Any:
        out = backend.inputs(len(indices), x.shape)
        draws.write(backend.device(x), indices, out, backend)
        return backend.host(out)

    whole = rows(range(start, start + 9))
    stops = sorted({0, 9, *cuts})
    parts = [rows(range(start + a, start + b)) for a, b in pairwise(stops)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert len({row.tobytes() for row in whole}) == 9
