"""The labels people gave."""

from __future__ import annotations

from onnxcert._typing import IntArray
from onnxcert.inputs import Item, LabelCoding, read_labels


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
