"""The labels people gave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.errors import InputError
from onnxcert.inputs import Item, LabelCoding, read_labels


def read_truth(
    item: Item,
    size: tuple[int, int] | None,
    *,
    classes: int,
    ignore_label: int | None,
    coding: LabelCoding,
    class_names: Sequence[str] = (),
) -> IntArray | None:
    """The labels of a picture of `size`, [H, W], or None where it has none.

    Args:
        item: the picture.
        size: (height, width), or None for a classifier, whose truth is one class: [1].
        classes: number of classes of the model.
        ignore_label: index of what nobody labelled, or None.
        coding: what the values in a label map mean.
        class_names: of the model's classes, by which a picture's class may be called.

    Raises:
        InputError: they cannot be read, name a class there is not, or are of the other kind.
    """
    if item.label is None:
        return None
    told = item.class_label
    if size is None:
        if told is None:
            raise InputError(
                f"{item.label}: expected one class for the whole picture, as the model is a "
                "classifier, but it is a label map: give --labels a table of lines "
                "`picture,class`, or pass --dataset imagefolder for folders of one class each."
            )
        index = told.index(class_names, classes=classes, ignore_label=ignore_label)
        return np.array([index], dtype=np.int32)
    if told is not None:
        raise InputError(
            f"{told.source}: expected a label map for each picture, as the model labels pixels, "
            "but it tells one class for the whole picture: give --labels a folder of label maps, "
            "or leave labels out."
        )
    return read_labels(
        item.label, size=size, classes=classes, ignore_label=ignore_label, coding=coding
    )
