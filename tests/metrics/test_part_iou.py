"""Metrics of part segmentation against sets of points that anybody can check by eye."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxcert.metrics.part_iou import CategoryScores, PartScores, PartTally, shape_iou
from onnxcert.metrics.scores import confusion, scores
from onnxcert.statistics.certificate import ABSTAIN

CLASSES = 9
PARTS = {"Bag": (0, 1), "Mug": (2, 3, 4), "Ball": (5,), "Car": (8, 6)}  # 7 is nobody's
IGNORE = 255

Labels = npt.NDArray[Any]
Shape = tuple[str, Labels, Labels]  # category, truth, prediction


def matrix_of(truth: Labels, predicted: Labels) -> npt.NDArray[np.int64]:
    return confusion(truth, predicted, classes=CLASSES, ignore_label=IGNORE)


def scored(shapes: list[Shape]) -> PartScores | None:
    tally = PartTally()
    for category, truth, predicted in shapes:
        tally.add(category, PARTS[category], matrix_of(truth, predicted))
    return tally.scores(tuple(PARTS))


@st.composite
def clouds(draw: st.DrawFn) -> list[Shape]:
    """Shapes with points that are unlabelled, of a foreign part, abstaining, absent parts."""
    shapes = []
    for category in draw(st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=6)):
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        points = draw(st.integers(1, 12))
        # Few of the parts, so that some are in neither truth nor prediction.
        own = rng.choice(PARTS[category], draw(st.integers(1, 3)))
        truth = rng.choice(own, points)
        predicted = np.where(rng.random(points) < 0.5, truth, rng.choice(own, points))
        for share, labels, values in (
            (0.1, truth, [IGNORE]),
            (0.1 * draw(st.booleans()), truth, range(CLASSES)),
            (0.2, predicted, range(CLASSES)),
            (0.2, predicted, [ABSTAIN]),
        ):
            labels[:] = np.where(rng.random(points) < share, rng.choice(values, points), labels)
        shapes.append((category, truth, predicted))
    return shapes


# -- by hand -------------------------------------------------------------------------------------


def test_the_iou_of_a_shape_by_hand() -> None:
    truth = np.array([2, 2, 2, 3, 3, 3])
    predicted = np.array([2, 2, ABSTAIN, 3, 0, 2])
    # Part 2: 2 of 3 + 1 points; part 3: 1 of 3, the part of a bag being a miss and no more; part 4
    # is in neither.
    assert shape_iou(matrix_of(truth, predicted), (2, 3)) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert shape_iou(matrix_of(truth, predicted), (2, 3, 4)) == pytest.approx(
        (1 / 2 + 1 / 3 + 0) / 3
    )


def test_a_part_that_is_predicted_but_not_there_counts_nothing() -> None:
    truth, predicted = np.array([2, 2, 2, 2]), np.array([2, 2, 2, 4])
    assert shape_iou(matrix_of(truth, predicted), PARTS["Mug"]) == pytest.approx(
        (3 / 4 + 1 + 0) / 3
    )


@pytest.mark.parametrize("foreign", [IGNORE, 0])
def test_a_shape_without_labels_of_its_parts_has_no_iou(foreign: int) -> None:
    truth = np.array([foreign, foreign])
    for predicted in (np.array([2, 3]), np.array([ABSTAIN, ABSTAIN])):
        assert shape_iou(matrix_of(truth, predicted), PARTS["Mug"]) is None
    tally = PartTally()
    assert not tally.add("Mug", PARTS["Mug"], matrix_of(truth, truth))
    assert tally.scores(tuple(PARTS)) is None
    assert tally.add("Mug", PARTS["Mug"], matrix_of(np.array([2, 3]), np.array([2, 3])))
    found = tally.scores(tuple(PARTS))
    assert found is not None
    assert found.categories["Mug"].shapes == 1  # the other one neither helps nor harms
    assert found.instance_iou == found.category_iou == 1


def test_the_averages_by_hand() -> None:
    shapes = [
        ("Mug", np.array([2, 2, 3, 3]), np.array([2, 2, 3, ABSTAIN])),  # (1 + 1/2 + 0) / 3
        ("Bag", np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])),  # 1
        ("Bag", np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])),  # 0
        ("Bag", np.array([0, 1]), np.array([0, ABSTAIN])),  # (1 + 0) / 2
    ]
    found = scored(shapes)
    assert found is not None
    assert found.instance_iou == pytest.approx((1 / 2 + 1 + 0 + 1 / 2) / 4)
    assert found.category_iou == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert found.categories == {
        "Bag": CategoryScores(shapes=3, iou=pytest.approx(0.5), accuracy=5 / 10),
        "Mug": CategoryScores(shapes=1, iou=pytest.approx(1 / 2), accuracy=3 / 4),
    }
    assert list(found.categories) == ["Bag", "Mug"]  # as asked for, not as they came


# -- against a plain implementation ----------------------------------------------------------------


def plain(shape: Shape) -> Fraction | None:
    """IoU of one shape from sets of points, in exact fractions."""
    category, truth, predicted = shape
    there = {i for i, label in enumerate(truth) if label != IGNORE}
    every = []
    loose = sum(predicted[i] == ABSTAIN for i in there)
    for part in PARTS[category]:
        of_truth = {i for i in there if truth[i] == part}
        of_answer = {i for i in there if predicted[i] == part}
        either = of_truth | of_answer
        if not either and loose:
            loose -= 1
            every.append(Fraction(0))
            continue
        every.append(Fraction(len(of_truth & of_answer), len(either)) if either else Fraction(1))
    if not any(truth[i] in PARTS[category] for i in there):
        return None
    return sum(every, Fraction(0)) / len(every)


@given(clouds())
def test_every_average_is_that_of_sets_of_points(shapes: list[Shape]) -> None:
    found = scored(shapes)
    every = [(shape, iou) for shape in shapes if (iou := plain(shape)) is not None]
    if not every:
        assert found is None
        return
    assert found is not None
    assert found.instance_iou == pytest.approx(float(sum(iou for _, iou in every) / len(every)))
    means = []
    for category in PARTS:
        own = [iou for shape, iou in every if shape[0] == category]
        if own:
            means.append(sum(own, Fraction(0)) / len(own))
            assert found.categories[category].iou == pytest.approx(float(means[-1]))
            assert found.categories[category].shapes == len(own)
        pairs = [
            (t, p)
            for name, truth, predicted in shapes
            if name == category
            for t, p in zip(truth, predicted, strict=True)
            if t != IGNORE
        ]
        if pairs:
            right = sum(t == p for t, p in pairs) / len(pairs)
            assert found.categories[category].accuracy == pytest.approx(right)
    assert found.category_iou == pytest.approx(float(sum(means, Fraction(0)) / len(means)))


# -- laws ----------------------------------------------------------------------------------------


def numbers(shapes: list[Shape]) -> dict[str, float]:
    """Every number that is reported of these shapes."""
    whole = scores(sum(matrix_of(truth, predicted) for _, truth, predicted in shapes))
    found: dict[str, float | None] = {
        "accuracy": whole.accuracy,
        "class_accuracy": whole.class_accuracy,
        "miou": whole.miou,
        "accuracy_certified": whole.accuracy_certified,
        **{f"iou {c}": iou for c, iou in enumerate(whole.iou)},
    }
    parts = scored(shapes)
    if parts is not None:
        found |= {"instance": parts.instance_iou, "category": parts.category_iou}
        for name, each in parts.categories.items():
            found |= {f"{name} iou": each.iou, f"{name} accuracy": each.accuracy}
    return {name: value for name, value in found.items() if value is not None}


@given(clouds(), st.integers(0, 2**32))
def test_abstaining_where_the_answer_is_right_raises_no_number(
    shapes: list[Shape], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    fewer = [
        (
            category,
            truth,
            np.where((predicted == truth) & (rng.random(truth.shape) < 0.4), ABSTAIN, predicted),
        )
        for category, truth, predicted in shapes
    ]
    before, after = numbers(shapes), numbers(fewer)
    assert set(before) - set(after) <= {"accuracy_certified"}  # none is left
    for name, value in after.items():
        assert value <= before[name], name


@given(clouds())
def test_a_perfect_prediction_scores_one_everywhere(shapes: list[Shape]) -> None:
    perfect = [(category, truth, truth) for category, truth, _ in shapes]
    occurring = {t for _, truth, _ in shapes for t in truth.tolist()}
    absent = {f"iou {c}" for c in range(CLASSES) if c not in occurring} | {"miou"}
    found = numbers(perfect)
    assert all(value == 1 for name, value in found.items() if name not in absent)
    labelled = any((truth != IGNORE).any() for _, truth, _ in shapes)
    assert {"accuracy", "class_accuracy"} <= set(found) or not labelled


@given(clouds(), st.randoms(use_true_random=False))
def test_names_of_parts_within_a_category_do_not_matter(shapes: list[Shape], random: Any) -> None:
    renamed = np.arange(CLASSES)
    for parts in PARTS.values():
        renamed[list(parts)] = random.sample(parts, len(parts))

    def after(labels: Labels) -> Labels:
        known = (labels >= 0) & (labels < CLASSES)
        return np.where(known, renamed[np.where(known, labels, 0)], labels)

    turned = [(category, after(truth), after(predicted)) for category, truth, predicted in shapes]
    assert scored(turned) == scored(shapes)


def test_the_order_of_many_parts_does_not_matter_to_the_last_digit() -> None:
    rng = np.random.default_rng(1)
    truth, predicted = rng.integers(0, CLASSES, (2, 200))
    matrix = matrix_of(truth, predicted)
    found = {shape_iou(matrix, tuple(rng.permutation(CLASSES).tolist())) for _ in range(50)}
    assert len(found) == 1


@given(clouds(), st.randoms(use_true_random=False))
def test_the_order_of_shapes_and_of_points_does_not_matter(
    shapes: list[Shape], random: Any
) -> None:
    moved = []
    for category, truth, predicted in random.sample(shapes, len(shapes)):
        order = random.sample(range(len(truth)), len(truth))
        moved.append((category, truth[order], predicted[order]))
    assert scored(moved) == scored(shapes)


def test_many_unequal_shapes_sum_to_the_same_number_in_any_order() -> None:
    rng = np.random.default_rng(5)
    shapes: list[Shape] = [
        ("Car", rng.choice(PARTS["Car"], n), rng.choice(PARTS["Car"], n)) for n in range(1, 400)
    ]
    assert scored(shapes) == scored(shapes[::-1])
