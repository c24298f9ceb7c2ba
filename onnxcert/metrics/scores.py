"""Accuracy and IoU against the ground truth; abstaining counts as a miss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onnxcert._typing import BoolArray, IntArray
from onnxcert.errors import ParameterError


@dataclass(frozen=True)
class Scores:
    """Scores of predictions against the ground truth, over the labelled components.

    A component is a pixel of an image or a point of a cloud.

    Attributes:
        accuracy: share of components predicted correctly; abstaining components are wrong. None if
            no component is labelled.
        class_accuracy: mean, over the classes in the ground truth, of the share of their components
            predicted correctly. None if no component is labelled.
        miou: mean of `iou` over all classes. None if no component is labelled.
        iou: intersection over union of each class; 0 for a class in neither ground truth nor
            prediction.
        accuracy_certified: share of correct predictions among the components that do not abstain.
            None if all abstain.
    """

    accuracy: float | None
    class_accuracy: float | None
    miou: float | None
    iou: tuple[float, ...]
    accuracy_certified: float | None


def confusion(
    truth: IntArray, predicted: IntArray, *, classes: int, ignore_label: int | None
) -> npt.NDArray[np.int64]:
    """Count components by true and predicted class.

    The matrices of several inputs add up to the matrix of them all.

    Args:
        truth: integers [*grid], each 0 .. classes - 1 or `ignore_label`; the grid is [H, W] of an
            image, [N] of a cloud.
        predicted: integers [*grid]; a value that is not a class is an abstention.
        classes: number of classes.
        ignore_label: components with this true label are ignored; None for none.

    Returns:
        int64 [classes, classes + 1]: rows are true classes, columns are predicted classes, and the
        last column is abstentions.

    Raises:
        ParameterError: the shapes differ, or a true label is neither a class nor `ignore_label`.
    """
    labelled = _labelled_mask(truth, predicted, classes, ignore_label)
    truth, predicted = truth[labelled], predicted[labelled]
    column = np.where((predicted >= 0) & (predicted < classes), predicted, classes)
    cell = truth.astype(np.int64).ravel() * (classes + 1) + column.astype(np.int64).ravel()
    counts = np.bincount(cell, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1).astype(np.int64)


def resample_labels(labels: IntArray, grid: tuple[int, ...]) -> IntArray:
    """Resample `labels` [H, W] at the cell centres of another grid (h, w).

    Labels of other components than pixels are returned unchanged.
    """
    if labels.shape == grid or not labels.ndim == len(grid) == 2:
        return labels
    rows, columns = (
        (2 * np.arange(cells) + 1) * length // (2 * cells)
        for length, cells in zip(labels.shape, grid, strict=True)
    )
    seen: IntArray = labels[rows[:, None], columns]
    return seen


def _labelled_mask(
    truth: IntArray, predicted: IntArray, classes: int, ignore_label: int | None
) -> BoolArray:
    """Return where there is a true class; check all labels except for `ignore_label`."""
    if truth.shape != predicted.shape:
        raise ParameterError(
            f"expected a prediction for each of the true labels {truth.shape}, but predictions "
            f"are {predicted.shape}: pass labels of the same input."
        )
    labelled: BoolArray = np.full(truth.shape, True)
    if ignore_label is not None:
        labelled = truth != ignore_label
    strange = truth[labelled & ((truth < 0) | (truth >= classes))]
    if strange.size:
        raise ParameterError(
            f"expected true labels 0 to {classes - 1}, but they run from {truth[labelled].min()} "
            f"to {truth[labelled].max()}: name the label of unlabelled components."
        )
    return labelled


def scores(matrix: npt.NDArray[np.int64]) -> Scores:
    """Compute the scores of a confusion matrix, or of the sum of several.

    An abstaining component is wrong in both accuracies and a miss in the IoU of its true class. The
    mean IoU is over all classes, and a class in neither ground truth nor prediction counts 0. This
    follows the reference implementation of Fischer et al., "Scalable Certified Segmentation via
    Randomized Smoothing", so that numbers are comparable. The class-average accuracy omits such
    classes, as the reference evaluation of PointNet++ does ("avg class acc").

    Args:
        matrix: int64 [classes, classes + 1], from `confusion`.
    """
    hits = np.diagonal(matrix)
    true = matrix.sum(axis=1)
    occurs = true > 0
    total = int(matrix.sum())
    certified = int(matrix[:, :-1].sum())
    union = true + matrix[:, :-1].sum(axis=0) - hits
    iou = hits / np.maximum(union, 1)
    return Scores(
        accuracy=float(hits.sum() / total) if total else None,
        class_accuracy=math.fsum(hits[occurs] / true[occurs]) / occurs.sum() if total else None,
        miou=float(iou.mean()) if total else None,
        iou=tuple(iou.tolist()),
        accuracy_certified=float(hits.sum() / certified) if certified else None,
    )


@dataclass(frozen=True, eq=False)
class Curve:
    """Certified components, and correctly certified ones, against the radius.

    Attributes:
        radii: ascending, one for each level of a certificate; float64 [L]. Between two radii the
            curve has the value of the larger one; beyond the last it is 0.
        certified: components certified at that radius or a larger one; int64 [L].
        correct: labelled components that are certified for their true class; int64 [L].
        components: number of components.
        labelled: number of components with a true class; 0 without labels.
    """

    radii: npt.NDArray[np.float64]
    certified: npt.NDArray[np.int64]
    correct: npt.NDArray[np.int64]
    components: int
    labelled: int

    @property
    def radius_range(self) -> tuple[float, float] | None:
        """Smallest and largest radius that a component is certified for; None if all abstain."""
        own = np.flatnonzero(np.diff(self.certified, append=0))  # certified here, no further
        return (float(self.radii[own[0]]), float(self.radii[own[-1]])) if own.size else None

    def __add__(self, other: Curve) -> Curve:
        """Return the sum of both curves, at every radius of either."""
        radii = np.union1d(self.radii, other.radii)
        # Between two radii a curve has the value of the larger one.
        a, b = (np.searchsorted(c.radii, radii, side="left") for c in (self, other))
        return Curve(
            radii,
            np.append(self.certified, 0)[a] + np.append(other.certified, 0)[b],
            np.append(self.correct, 0)[a] + np.append(other.correct, 0)[b],
            self.components + other.components,
            self.labelled + other.labelled,
        )


def curve(
    radii: npt.NDArray[np.float64],
    level: IntArray,
    candidate: IntArray,
    truth: IntArray | None,
    *,
    classes: int,
    ignore_label: int | None,
) -> Curve:
    """Compute the curve of one input.

    Args:
        radii: of each level, ascending; float64 [L].
        level: 0 where a component abstains, j where it is certified at radii[j - 1]; [*grid].
        candidate: tested class; integers [*grid].
        truth: true classes, or None; integers [*grid].
        classes: number of classes.
        ignore_label: true label that is ignored, or None.

    Raises:
        ParameterError: the shapes of truth and candidate differ, or a true label is neither a
            class nor `ignore_label`.
    """
    # Several levels may have equal radii; all of these get the value of the first.
    first = np.searchsorted(radii, radii, side="left")

    def at_least(levels: IntArray) -> npt.NDArray[np.int64]:
        counts = np.bincount(levels.ravel(), minlength=len(radii) + 1)
        reached: npt.NDArray[np.int64] = np.cumsum(counts[::-1])[::-1][1:].astype(np.int64)
        return reached[first]

    correct, labelled = np.zeros(len(radii), np.int64), 0
    if truth is not None:
        known = _labelled_mask(truth, candidate, classes, ignore_label)
        labelled = int(np.count_nonzero(known))
        correct = at_least(level[known & (truth == candidate)])
    return Curve(radii, at_least(level), correct, int(level.size), labelled)
