"""The labels people gave, on the grid of the components, against what the model says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.inputs import Item, LabelCoding, read_labels
from onnxcert.metrics import confusion


def read_truth(
    item: Item,
    size: tuple[int, int],
    *,
    classes: int,
    ignore_label: int | None,
    coding: LabelCoding,
) -> IntArray | None:
    """The labels of a picture of `size`, [H, W], or None where it has none.

    Raises:
        InputError: they cannot be read, or name a class there is not.
    """
    if item.label is None:
        return None
    return read_labels(
        item.label, size=size, classes=classes, ignore_label=ignore_label, coding=coding
    )


def confusions(
    truth: IntArray | None,
    predictions: Mapping[str, IntArray],
    *,
    classes: int,
    ignore_label: int | None,
) -> dict[str, IntArray]:
    """A confusion matrix for each of `predictions`; none without truth.

    Predictions on another grid are compared with the truth at the centres of its cells.
    """
    if truth is None:
        return {}
    return {
        row: confusion(
            on_grid(truth, labels.shape), labels, classes=classes, ignore_label=ignore_label
        )
        for row, labels in predictions.items()
    }


def on_grid(labels: IntArray, grid: tuple[int, ...]) -> IntArray:
    """`labels` [H, W] at the centres of the cells of another grid (h, w)."""
    if labels.shape == grid:
        return labels
    rows, columns = (
        (2 * np.arange(cells) + 1) * length // (2 * cells)
        for length, cells in zip(labels.shape, grid, strict=True)
    )
    seen: IntArray = labels[rows[:, None], columns]
    return seen
