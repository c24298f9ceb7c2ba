"""IoU of part segmentation: shape by shape, over the parts that the shape's category has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt


def shape_iou(matrix: npt.NDArray[np.int64], parts: Sequence[int]) -> float | None:
    """IoU of one shape: the mean over the parts of its category.

    Of each part, points that have it in truth and prediction are divided by points that have it in
    either; a part in neither counts 1. An abstaining point is a miss of its true part and belongs
    to the prediction of none. Only the category's own parts are looked at: a point predicted as a
    part of another category is a miss too and enters the union of its true part alone.

    So does the field on ShapeNet part (Qi, Su, Mo, Guibas, "PointNet", CVPR 2017, section 5.1; Qi,
    Yi, Su, Guibas, "PointNet++", NIPS 2017, and its reference evaluation). That evaluation also
    restricts predictions to the category's parts; here the model does, or nobody.

    Args:
        matrix: of this shape alone; int64 [classes, classes + 1], from `metrics.confusion`.
        parts: classes that shapes of this category consist of.

    Returns:
        0 to 1, or None where no point is labelled as one of the parts: such labels are missing or
        of another category, and would score 1 wherever nothing is predicted.
    """
    own = list(parts)
    hits = matrix[own, own]
    true = matrix[own].sum(axis=1)
    if not true.any():
        return None
    union = true + matrix[:, own].sum(axis=0) - hits
    iou = np.where(union > 0, hits / np.maximum(union, 1), 1.0)
    return math.fsum(iou) / len(own)


@final
@dataclass(frozen=True)
class CategoryScores:
    """How predictions agree with the truth on the shapes of one category.

    Attributes:
        shapes: how many have an IoU: those with a point labelled as one of the category's parts.
        iou: mean IoU of these. None where there are none.
        accuracy: share of all labelled points of the category that have the true class, abstaining
            points wrong. None where no point is labelled.
    """

    shapes: int
    iou: float | None
    accuracy: float | None


@final
@dataclass(frozen=True)
class PartScores:
    """The averages of part segmentation.

    Attributes:
        instance_iou: instance average, the mean IoU of all shapes, so that each shape counts alike.
        category_iou: class average, the mean over the categories of their mean IoU, so that each
            category counts alike; those without a shape are left out.
        categories: by name, in the order asked for; those with a shape.
    """

    instance_iou: float
    category_iou: float
    categories: Mapping[str, CategoryScores]


@final
class PartTally:
    """The IoU of shapes, gathered one by one: a number a shape is kept, and no array."""

    def __init__(self) -> None:
        self._iou: dict[str, list[float]] = {}
        self._right: dict[str, int] = {}
        self._labelled: dict[str, int] = {}

    def add(self, category: str, parts: Sequence[int], matrix: npt.NDArray[np.int64]) -> bool:
        """Count one shape; whether it has an IoU, see `shape_iou`."""
        iou = shape_iou(matrix, parts)
        self._iou.setdefault(category, []).extend([] if iou is None else [iou])
        self._right[category] = self._right.get(category, 0) + int(np.trace(matrix))
        self._labelled[category] = self._labelled.get(category, 0) + int(matrix.sum())
        return iou is not None

    def scores(self, order: Sequence[str]) -> PartScores | None:
        """The averages, whatever the order the shapes came in; None where no shape has an IoU.

        Args:
            order: of the categories, each that was counted among them.
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
    # Summed exactly, so that the order of the shapes does not matter.
    return math.fsum(values) / len(values)
