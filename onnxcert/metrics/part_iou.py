"""IoU of part segmentation: for each shape, over the parts of its category."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt


def shape_iou(matrix: npt.NDArray[np.int64], parts: Sequence[int]) -> float | None:
    """Compute the IoU of one shape: the mean over the parts of its category.

    A part in neither ground truth nor prediction counts 1. An abstaining point is a miss of its
    true part and in the prediction of no part. In addition, each abstaining point turns the 1 of
    one part in neither into 0, since the point could have been labelled so. Without this, a model
    that abstains on all points of a shape with half of its category's parts would score one half,
    and abstaining instead of one wrong label could raise the IoU of a part from 0 to 1. A point
    predicted as a part of another category is a miss and only in the union of its true part.

    Otherwise this is the usual metric on ShapeNet part (Qi, Su, Mo, Guibas, "PointNet", CVPR 2017,
    section 5.1; Qi, Yi, Su, Guibas, "PointNet++", NIPS 2017, and its reference evaluation). That
    evaluation also restricts predictions to the category's parts; here only the model may do so.

    Args:
        matrix: of this shape alone; int64 [classes, classes + 1], from `metrics.confusion`.
        parts: classes of this category's parts.

    Returns:
        0 to 1. None if no point is labelled as one of the parts: the labels are then missing or of
        another category, and all parts without predictions would count 1.
    """
    own = list(parts)
    hits = matrix[own, own]
    true = matrix[own].sum(axis=1)
    if not true.any():
        return None
    union = true + matrix[:, own].sum(axis=0) - hits
    absent = int(np.count_nonzero(union == 0))
    abstaining = int(matrix[:, -1].sum())
    iou = hits / np.maximum(union, 1)
    return (math.fsum(iou) + max(0, absent - abstaining)) / len(own)


@final
@dataclass(frozen=True)
class CategoryScores:
    """Scores of the shapes of one category.

    Attributes:
        shapes: number of shapes with an IoU (a point is labelled as one of the category's parts).
        iou: mean IoU of these. None if there are none.
        accuracy: share of the category's labelled points predicted correctly; abstaining points
            are wrong. None if no point is labelled.
    """

    shapes: int
    iou: float | None
    accuracy: float | None


@final
@dataclass(frozen=True)
class PartScores:
    """The averages of part segmentation.

    Attributes:
        instance_iou: instance average, the mean IoU of all shapes.
        category_iou: class average, the mean of the categories' mean IoU; categories without a
            shape are omitted.
        categories: categories with a shape, by name, in the requested order.
    """

    instance_iou: float
    category_iou: float
    categories: Mapping[str, CategoryScores]


@final
class PartTally:
    """Accumulator of the IoU of shapes; it stores one number a shape and no array."""

    def __init__(self) -> None:
        self._iou: dict[str, list[float]] = {}
        self._right: dict[str, int] = {}
        self._labelled: dict[str, int] = {}

    def add(self, category: str, parts: Sequence[int], matrix: npt.NDArray[np.int64]) -> bool:
        """Add one shape; return whether it has an IoU, see `shape_iou`."""
        iou = shape_iou(matrix, parts)
        self._iou.setdefault(category, []).extend([] if iou is None else [iou])
        self._right[category] = self._right.get(category, 0) + int(np.trace(matrix))
        self._labelled[category] = self._labelled.get(category, 0) + int(matrix.sum())
        return iou is not None

    def scores(self, order: Sequence[str]) -> PartScores | None:
        """Return the averages, independent of the order of the shapes; None if none has an IoU.

        Args:
            order: all counted categories, in the order of the result.
        """
        categories = dict(self._categories(order))
        if not any(found.shapes for found in categories.values()):
            return None
        means = [found.iou for found in categories.values() if found.iou is not None]
        every = [iou for values in self._iou.values() for iou in values]
        return PartScores(_mean(every), _mean(means), categories)

    def _categories(self, order: Sequence[str]) -> Iterator[tuple[str, CategoryScores]]:
        for name in order:
            if name not in self._iou:
                continue
            values, labelled = self._iou[name], self._labelled[name]
            yield (
                name,
                CategoryScores(
                    shapes=len(values),
                    iou=_mean(values) if values else None,
                    accuracy=self._right[name] / labelled if labelled else None,
                ),
            )


def _mean(values: Sequence[float]) -> float:
    # An exact sum does not depend on the order of the shapes.
    return math.fsum(values) / len(values)
