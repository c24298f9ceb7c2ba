"""Ground truth of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.errors import InputError
from onnxcert.inputs import Item, LabelEncoding, read_labels


def read_truth(
    item: Item,
    size: tuple[int, int] | None,
    *,
    classes: int,
    ignore_label: int | None,
    label_encoding: LabelEncoding,
    class_names: Sequence[str] = (),
) -> IntArray | None:
    """Return the ground truth of an image, [H, W], or None if it has none.

    Args:
        item: the image.
        size: (height, width), or None for a classifier, whose ground truth is one class: [1].
        classes: number of classes of the model.
        ignore_label: index of unlabelled pixels, or None.
        label_encoding: encoding of the label map.
        class_names: names of the model's classes, which a table of classes may use.

    Raises:
        InputError: labels cannot be read, have an unknown class, or do not fit the task.
    """
    if item.label is None:
        return None
    class_label = item.class_label
    if size is None:
        if class_label is None:
            raise InputError(
                f"{item.label}: expected one class for the whole image, because the model is a "
                "classifier, but it is a label map; give --labels a table with lines "
                "`picture,class`, or pass --dataset imagefolder for folders of one class each."
            )
        index = class_label.index(class_names, classes=classes, ignore_label=ignore_label)
        return np.array([index], dtype=np.int32)
    if class_label is not None:
        raise InputError(
            f"{class_label.source}: expected a label map for each image, because the model labels "
            "pixels, but it has one class for the whole image; give --labels a folder of label "
            "maps, or leave labels out."
        )
    return read_labels(
        item.label,
        size=size,
        classes=classes,
        ignore_label=ignore_label,
        label_encoding=label_encoding,
    )
