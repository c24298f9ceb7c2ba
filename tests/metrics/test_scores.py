"""Metrics against a loop that anybody can check by eye."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxcert.errors import ParameterError
from onnxcert.metrics.scores import Curve, confusion, curve, resample_labels, scores
from onnxcert.statistics.certificate import ABSTAIN


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
        shares = [
            sum(pair == (c, c) for pair in pixels) / sum(t == c for t, _ in pixels)
            for c in {t for t, _ in pixels}
        ]
        assert result.class_accuracy == pytest.approx(sum(shares) / len(shares))
        assert result.miou == pytest.approx(sum(iou) / classes)
    else:
        assert result.accuracy is result.class_accuracy is result.miou is None
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
    assert result.class_accuracy == (1 / 3 + 1 / 2) / 2
    assert result.accuracy_certified == 2 / 3
    assert result.iou == (1 / 4, 1 / 2, 0.0)
    assert result.miou == 0.25


def test_matrices_of_pictures_add_up() -> None:
    rng = np.random.default_rng(3)
    truth, predicted = rng.integers(0, 4, (2, 10, 8)), rng.integers(-1, 4, (2, 10, 8))
    both = confusion(truth, predicted, classes=4, ignore_label=None)
    parts = [confusion(truth[i], predicted[i], classes=4, ignore_label=None) for i in range(2)]
    np.testing.assert_array_equal(both, sum(parts))


def test_labels_of_points_belong_to_their_points() -> None:
    labels = np.array([0, 1, 1, 0])
    # Every other one of a picture's rows would do; of points that would be others.
    assert resample_labels(labels, (2,)) is labels
    with pytest.raises(ParameterError, match="same input"):
        confusion(resample_labels(labels, (2,)), labels[:2], classes=2, ignore_label=None)
    assert resample_labels(np.array([[0, 1], [1, 0]]), (1, 2)).shape == (1, 2)


def test_labels_that_cannot_be_counted_are_refused() -> None:
    ones = np.ones((2, 3), int)
    with pytest.raises(ParameterError, match="same input"):
        confusion(ones, ones.T, classes=2, ignore_label=None)
    with pytest.raises(ParameterError, match="0 to 0"):
        confusion(ones, ones, classes=1, ignore_label=None)
    with pytest.raises(ParameterError, match="unlabelled"):
        confusion(-ones, ones, classes=2, ignore_label=None)


@st.composite
def components(draw: st.DrawFn) -> tuple[Curve, list[tuple[float, bool, bool]]]:
    """A curve, and of each component (certified radius or -1, labelled, right)."""
    classes = draw(st.integers(1, 4))
    # Multiples of 1/8, so that inputs share some radii and not others; some inputs have none.
    steps = sorted(draw(st.lists(st.integers(0, 12), max_size=5)))
    radii = np.array(steps, np.float64) / 8
    size = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    level = rng.integers(0, len(radii) + 1, size).astype(np.uint8)
    candidate = rng.integers(0, classes, size).astype(np.uint8)
    truth = rng.integers(0, classes, size).astype(np.int16)
    ignore = draw(st.sampled_from([None, 255, -1, 0]))
    if ignore is not None:
        truth[rng.random(size) < 0.3] = ignore
    given_truth = truth if draw(st.booleans()) else None
    made = curve(radii, level, candidate, given_truth, classes=classes, ignore_label=ignore)
    return made, [
        (
            -1.0 if j == 0 else float(radii[j - 1]),
            given_truth is not None and t != ignore,
            given_truth is not None and t != ignore and t == c,
        )
        for j, c, t in zip(level.flat, candidate.flat, truth.flat, strict=True)
    ]


def at(made: Curve, radius: float) -> tuple[int, int]:
    """Certified and correct at any radius: what they are at the next larger step."""
    j = int(np.searchsorted(made.radii, radius))
    return (int(made.certified[j]), int(made.correct[j])) if j < len(made.radii) else (0, 0)


@given(st.lists(components(), min_size=1, max_size=4))
def test_the_sum_of_curves_counts_every_component_at_every_radius(
    inputs: list[tuple[Curve, list[tuple[float, bool, bool]]]],
) -> None:
    whole = inputs[0][0]
    for made, _ in inputs[1:]:
        whole = whole + made
    everything = [one for _, part in inputs for one in part]
    assert whole.components == len(everything)
    assert whole.labelled == sum(labelled for _, labelled, _ in everything)
    assert len(whole.radii) == len(whole.certified) == len(whole.correct)
    assert whole.certified.dtype == whole.correct.dtype == np.int64
    for radius in (*whole.radii.tolist(), *(step / 16 for step in range(28))):
        assert at(whole, radius) == (
            sum(own >= radius for own, _, _ in everything),
            sum(own >= radius and right for own, _, right in everything),
        )
    assert (np.diff(whole.certified) <= 0).all()
    assert (np.diff(whole.correct) <= 0).all()
    assert (whole.correct <= whole.certified).all()
    assert set(whole.radii.tolist()) == {r for made, _ in inputs for r in made.radii.tolist()}


@given(components())
def test_each_entry_counts_who_is_certified_at_its_radius_even_where_radii_are_equal(
    one: tuple[Curve, list[tuple[float, bool, bool]]],
) -> None:
    made, everything = one
    for radius, certified, correct in zip(made.radii, made.certified, made.correct, strict=True):
        assert certified == sum(own >= radius for own, _, _ in everything)
        assert correct == sum(own >= radius and right for own, _, right in everything)


@given(components(), components(), components())
def test_curves_add_up_in_any_order(
    first: tuple[Curve, object], second: tuple[Curve, object], third: tuple[Curve, object]
) -> None:
    a, b, c = first[0], second[0], third[0]
    for one, other in ((a + b, b + a), ((a + b) + c, a + (b + c))):
        for name in ("radii", "certified", "correct", "components", "labelled"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@given(seed=st.integers(0, 2**32), classes=st.integers(1, 5), ignore=st.sampled_from([None, 255]))
def test_one_radius_gives_the_accuracy_of_the_confusion_matrix(
    seed: int, classes: int, ignore: int | None
) -> None:
    rng = np.random.default_rng(seed)
    truth, candidate = rng.integers(0, classes, (2, 6, 7))
    if ignore is not None:
        truth[rng.random(truth.shape) < 0.3] = ignore
    level = rng.integers(0, 2, truth.shape).astype(np.uint8)
    labels = np.where(level > 0, candidate, ABSTAIN)
    made = curve(np.array([0.17]), level, candidate, truth, classes=classes, ignore_label=ignore)
    matrix = confusion(truth, labels, classes=classes, ignore_label=ignore)
    assert made.labelled == matrix.sum()
    assert made.correct[0] == np.trace(matrix)
    assert made.certified[0] == (labels != ABSTAIN).sum()
    if made.labelled:
        assert made.correct[0] / made.labelled == scores(matrix).accuracy


def test_several_tau_give_the_accuracy_of_each_certificate() -> None:
    rng = np.random.default_rng(8)
    truth, candidate = rng.integers(0, 3, (2, 20, 30))
    level = rng.integers(0, 4, truth.shape).astype(np.uint8)
    radii = np.array([0.1, 0.2, 0.3])
    made = curve(radii, level, candidate, truth, classes=3, ignore_label=None)
    for j in range(3):
        labels = np.where(level > j, candidate, ABSTAIN)
        accuracy = scores(confusion(truth, labels, classes=3, ignore_label=None)).accuracy
        assert made.correct[j] / made.labelled == accuracy


def test_a_curve_refuses_labels_that_cannot_be_counted() -> None:
    ones = np.ones((2, 3), int)
    radii = np.array([0.1])
    with pytest.raises(ParameterError, match="same input"):
        curve(radii, ones, ones, ones.T, classes=2, ignore_label=None)
    with pytest.raises(ParameterError, match="unlabelled"):
        curve(radii, ones, ones, -ones, classes=2, ignore_label=None)
    assert curve(radii, ones, ones, -ones, classes=2, ignore_label=-1).labelled == 0
