"""Images as a modality of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.data import Item, LabelEncoding, Listing, read_image, read_labels, read_usable_sizes
from onnxcert.errors import InputError
from onnxcert.model.runtime.machine import refuse_too_large
from onnxcert.report.export.files import draw_record, has_labels
from onnxcert.report.figures.composite import composite
from onnxcert.results import Record


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


@final
@dataclass(frozen=True)
class ImageModality:
    """The images of a listing; see `onnxcert.run.modality.base.Modality`.

    A prepared input is float32 [3, H, W] in [0, 1], or [C, H, W] for a model of C bands.
    """

    listing: Listing
    ignore_label: int | None
    classifies: bool = False
    bands: tuple[str, ...] = ()
    channels: int = 3

    def usable(self) -> tuple[dict[Item, int], dict[str, str]]:
        sizes, unreadable = read_usable_sizes(self.listing, self.bands)
        usable = {}
        for item, (height, width) in sizes.items():
            try:
                refuse_too_large(self.channels * height * width, str(item.path))
            except InputError as error:
                unreadable[item.name] = str(error)
            else:
                usable[item] = height * width
        return usable, unreadable

    def read(self, item: Item) -> FloatArray:
        return read_image(item.path, self.bands)

    def truth(
        self, item: Item, prepared: FloatArray, *, classes: int, names: Sequence[str]
    ) -> IntArray | None:
        height, width = prepared.shape[1:]
        return read_truth(
            item,
            None if self.classifies else (height, width),
            classes=classes,
            ignore_label=self.ignore_label,
            label_encoding=self.listing.label_encoding,
            class_names=names,
        )

    def notes(self, _prepared: FloatArray, /) -> tuple[str, ...]:
        return ()

    def category(self, _prepared: FloatArray, /) -> str:
        return ""

    def has_labels(self, folder: Path, name: str) -> bool:
        return has_labels(folder, name)

    def draw(
        self,
        folder: Path,
        record: Record,
        prepared: FloatArray,
        truth: IntArray | None,
        names: Sequence[str],
    ) -> None:
        image, heading = composite(prepared, self.bands) if self.bands else (prepared, "")
        draw_record(
            folder,
            record,
            image=image,
            heading=heading,
            truth=truth,
            class_names=names,
            ignore_label=self.ignore_label,
        )
