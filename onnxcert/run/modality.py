"""What differs between images and point clouds in a run: reading, ground truth, notes, figures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.data import ClassLabel, Item, Listing, read_image, read_labels, read_usable_sizes
from onnxcert.data.labels.mask import unify_ignored
from onnxcert.data.points import (
    PointCloud,
    count_points,
    describe_duplicates,
    describe_missing_normals,
    read_cloud_item,
)
from onnxcert.errors import InputError, refuse_too_many_files
from onnxcert.model.adapter.base import Adapter
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.runtime.machine import refuse_too_large
from onnxcert.report.export.files import draw_record, has_labels
from onnxcert.report.export.points import draw_cloud_record, has_cloud_labels
from onnxcert.report.figures.images import composite
from onnxcert.results import Record


@dataclass(frozen=True)
class InputModality(ABC):
    """The inputs of one listing, for one model.

    A prepared input is what `read` returns: what is certified, and what is needed to draw it.

    Args:
        listing: the inputs.
        ignore_label: ground truth value to ignore, or None.
    """

    listing: Listing
    ignore_label: int | None

    @abstractmethod
    def usable(self) -> tuple[dict[Item, int], dict[str, str]]:
        """Return usable inputs -> number of pixels or points, and unusable names -> reason.

        Raises:
            InputError: ground truth does not fit its input.
        """

    @abstractmethod
    def read(self, item: Item) -> Any:
        """Return the prepared input.

        Raises:
            InputError: the input cannot be read.
        """

    @abstractmethod
    def truth(
        self, item: Item, prepared: Any, *, classes: int, names: Sequence[str]
    ) -> IntArray | None:
        """Return the true classes of the components, or None without ground truth.

        Raises:
            InputError: the ground truth cannot be read or does not fit.
        """

    def _class_index(self, label: ClassLabel, *, classes: int, names: Sequence[str]) -> IntArray:
        """Return the class of a whole input as an array of one component."""
        ignored = dict.fromkeys(map(str, self.listing.also_ignored), self.ignore_label)
        index = ignored.get(label.text)
        if index is None:
            index = label.index(names, classes=classes, ignore_label=self.ignore_label)
        return np.array([index], dtype=np.int32)

    def notes(self, prepared: Any) -> tuple[str, ...]:  # noqa: ARG002
        """Return remarks about the input for the reader of its result."""
        return ()

    def category(self, prepared: Any) -> str:  # noqa: ARG002
        """Return the category of the input, for metrics by category; empty if unknown."""
        return ""

    @abstractmethod
    def has_labels(self, folder: Path, name: str) -> bool:
        """Return whether the label files of a result exist in `folder`."""

    @abstractmethod
    def draw(
        self,
        folder: Path,
        record: Record,
        prepared: Any,
        truth: IntArray | None,
        names: Sequence[str],
    ) -> None:
        """Write the figure of one result to `folder`."""


@final
@dataclass(frozen=True)
class ImageModality(InputModality):
    """The images of a listing.

    A prepared input is float32 [3, H, W] in [0, 1], or [C, H, W] for a model of C bands.
    """

    contract: ImageContract

    def usable(self) -> tuple[dict[Item, int], dict[str, str]]:
        sizes, unreadable = read_usable_sizes(self.listing, self.contract.bands)
        usable = {}
        for item, (height, width) in sizes.items():
            try:
                refuse_too_large(self.contract.declared_channels * height * width, str(item.path))
            except InputError as error:
                unreadable[item.name] = str(error)
            else:
                usable[item] = height * width
        return usable, unreadable

    def read(self, item: Item) -> FloatArray:
        return read_image(item.path, self.contract.bands)

    def truth(
        self, item: Item, prepared: FloatArray, *, classes: int, names: Sequence[str]
    ) -> IntArray | None:
        label, class_label = item.label, item.class_label
        if label is None:
            return None
        if self.contract.classifies:
            if class_label is None:
                raise InputError(
                    f"{label}: expected one class for the whole image, because the model is a "
                    "classifier, but it is a label map; give --labels a table with lines "
                    "`picture,class`, or pass --dataset imagefolder for folders of one class each."
                )
            return self._class_index(class_label, classes=classes, names=names)
        if class_label is not None:
            raise InputError(
                f"{class_label.source}: expected a label map for each image, because the model "
                "labels pixels, but it has one class for the whole image; give --labels a folder "
                "of label maps, or leave labels out."
            )
        return read_labels(
            label,
            size=(prepared.shape[1], prepared.shape[2]),
            classes=classes,
            ignore_label=self.ignore_label,
            also_ignored=self.listing.also_ignored,
            label_encoding=self.listing.label_encoding,
        )

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
        bands = self.contract.bands
        image, heading = composite(prepared, bands) if bands else (prepared, "")
        draw_record(
            folder,
            record,
            image=image,
            heading=heading,
            truth=truth,
            class_names=names,
            ignore_label=self.ignore_label,
        )


@final
@dataclass(frozen=True)
class PointCloudModality(InputModality):
    """The point clouds of a listing.

    A prepared input is a normalised `PointCloud` with the number of points that the model takes.
    """

    adapter: PointAdapter

    def usable(self) -> tuple[dict[Item, int], dict[str, str]]:
        wanted = self.adapter.contract.points
        sizes: dict[Item, int] = {}
        unreadable: dict[str, str] = {}
        for item in self.listing.items:
            try:
                sizes[item] = wanted or count_points(item.path)
            except InputError as error:
                refuse_too_many_files(item.path, error)
                unreadable[item.name] = str(error)
        return sizes, unreadable

    def read(self, item: Item) -> PointCloud:
        contract = self.adapter.contract
        cloud, _ = read_cloud_item(
            item,
            columns=self.listing.columns,
            frame=contract.frame,  # type: ignore[arg-type]
            points=contract.points,
            fill=self.adapter.fill,
        )
        return cloud

    def truth(
        self, item: Item, prepared: PointCloud, *, classes: int, names: Sequence[str]
    ) -> IntArray | None:
        if self.adapter.contract.classifies:
            label, category = item.class_label, prepared.category
            if label is not None:
                return self._class_index(label, classes=classes, names=names)
            if category in names:
                index = names.index(category)
            elif category.isdecimal() and len(category) < 6 and int(category) < classes:
                index = int(category)
            else:
                return None
            return np.array([index], dtype=np.int32)
        labels = prepared.labels
        if labels is None or self.adapter.contract.output_form == "multilabel":
            return None  # one class per point does not fit a multi-label model
        labels = unify_ignored(labels, self.ignore_label, self.listing.also_ignored)
        counts = labels != self.ignore_label  # all of them without an ignore label
        invalid = labels[counts & ((labels < 0) | (labels >= classes))]
        if invalid.size:
            raise InputError(
                f"{item.label or item.path}: expected classes from 0 to {classes - 1}, but a point "
                f"has {invalid[0]}; pass --ignore-label {invalid[0]} if that means unlabelled, or "
                "give the labels for this model."
            )
        return labels

    def notes(self, prepared: PointCloud) -> tuple[str, ...]:
        return describe_duplicates(prepared), describe_missing_normals(prepared)

    def category(self, prepared: PointCloud) -> str:
        return self.adapter.category(prepared.category)

    def has_labels(self, folder: Path, name: str) -> bool:
        return has_cloud_labels(folder, name)

    def draw(
        self,
        folder: Path,
        record: Record,
        prepared: PointCloud,
        truth: IntArray | None,
        names: Sequence[str],
    ) -> None:
        draw_cloud_record(
            folder,
            record,
            cloud=prepared,
            truth=truth,
            class_names=names,
            ignore_label=self.ignore_label,
        )


def select_modality(adapter: Adapter, listing: Listing, ignore_label: int | None) -> InputModality:
    """Return the modality of the model of `adapter`, for one listing."""
    if isinstance(adapter, PointAdapter):
        return PointCloudModality(listing, ignore_label, adapter)
    assert isinstance(adapter, ImageAdapter)
    return ImageModality(listing, ignore_label, adapter.contract)
