"""Images as a modality of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import InputError
from onnxcert.inputs import Item, Listing, read_image, read_usable_sizes
from onnxcert.model.running.memory import refuse_too_large
from onnxcert.report.composite import composite
from onnxcert.report.files import draw_record, has_labels
from onnxcert.store import Record
from onnxcert.truth import read_truth


@final
@dataclass(frozen=True)
class ImageModality:
    """The images of a listing; see `onnxcert.media.medium.Modality`.

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
