"""Metrics against a loop that anybody can check by eye."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxcert.errors import ParameterError
from onnxcert.metrics import confusion, scores
from onnxcert.result import ABSTAIN


@given(
    seed=st.integers(0, 2**32),
    classes=st.integers(1, 6),
    size=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    ignore=st.sampled_from([None, 255, -3, 0]),
    predicted_type=st.sampled_from([np.int16, np.int32, np.int64]),
)
def test_every_number_is_what_a_loop_over_pixels_counts(
    seed: int,
    classes: int,
    size: tuple[int, int],
    ignore: int | None,
    predicted_type: type[np.integer],
) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, size).astype(np.int32)
    if ignore is not None:
        truth[rng.random(size) < 0.3] = ignore
    # Few classes on either side, so that absent classes and full abstention occur.
    predicted = rng.integers(-1, max(1, classes - 1), size).astype(predicted_type)
    predicted[rng.random(size) < 0.1] = classes + 3
    matrix = confusion(truth, predicted, classes=classes, ignore_label=ignore)
    result = scores(matrix)

    pixels = [
        (int(t), int(p) if 0 <= p < classes else None)
        for t, p in zip(truth.flat, predicted.flat, strict=True)
        if t != ignore
    ]
    assert matrix.dtype == np.int64
    assert matrix.shape == (classes, classes + 1)
    for t in range(classes):
        for p in range(classes):
            assert matrix[t, p] == pixels.count((t, p))
        assert matrix[t, classes] == pixels.count((t, None))

    right = sum(t == p for t, p in pixels)
    given_a_class = [p for _, p in pixels if p is not None]
    iou = []
    for c in range(classes):
        both = sum(t == c and p == c for t, p in pixels)
        either = sum(c in (t, p) for t, p in pixels)
        iou.append(both / either if either else 0.0)
    assert result.iou == pytest.approx(iou)
    if pixels:
        assert result.accuracy == pytest.approx(right / len(pixels))
        assert result.miou == pytest.approx(sum(iou) / classes)
    else:
        assert result.accuracy is result.miou is None
    if given_a_class:
        assert result.accuracy_certified == pytest.approx(right / len(given_a_class))
    else:
        assert result.accuracy_certified is None


def test_an_example_by_hand() -> None:
    truth = np.array([[0, 0, 1], [1, 255, 0]])
    predicted = np.array([[0, ABSTAIN, 1], [0, 0, ABSTAIN]])
    matrix = confusion(truth, predicted, classes=3, ignore_label=255)
    assert matrix.tolist() == [[1, 0, 0, 2], [1, 1, 0, 0], [0, 0, 0, 0]]
    result = scores(matrix)
    assert result.accuracy == 2 / 5
    assert result.accuracy_certified == 2 / 3
    assert result.iou == (1 / 4, 1 / 2, 0.0)
    assert result.miou == 0.25


def test_matrices_of_pictures_add_up() -> None:
    rng = np.random.default_rng(3)
    truth, predicted = rng.integers(0, 4, (2, 10, 8)), rng.integers(-1, 4, (2, 10, 8))
    both = confusion(truth, predicted, classes=4, ignore_label=None)
    parts = [confusion(truth[i], predicted[i], classes=4, ignore_label=None) for i in range(2)]
    np.testing.assert_array_equal(both, sum(parts))


def test_labels_that_cannot_be_counted_are_refused() -> None:
    ones = np.ones((2, 3), int)
    with pytest.raises(ParameterError, match="same picture"):
        confusion(ones, ones.T, classes=2, ignore_label=None)
    with pytest.raises(ParameterError, match="0 to 0"):
        confusion(ones, ones, classes=1, ignore_label=None)
    with pytest.raises(ParameterError, match="unlabelled"):
        confusion(-ones, ones, classes=2, ignore_label=None)
