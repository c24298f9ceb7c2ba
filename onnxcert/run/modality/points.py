"""Point clouds as a modality of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.data import Item, Listing
from onnxcert.data.points import (
    PointCloud,
    count_points,
    describe_duplicates,
    describe_missing_normals,
    read_cloud_item,
)
from onnxcert.errors import InputError, refuse_too_many_files
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.report.export.points import draw_cloud_record, has_cloud_labels
from onnxcert.results import Record


@final
@dataclass(frozen=True)
class PointCloudModality:
    """The point clouds of a listing, for one model; see `onnxcert.run.modality.base.Modality`.

    A prepared input is a normalised `PointCloud` with the number of points that the model takes.
    """

    entry: PointAdapter
    listing: Listing
    ignore_label: int | None

    def usable(self) -> tuple[dict[Item, int], dict[str, str]]:
        wanted = self.entry.contract.points
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
        contract = self.entry.contract
        cloud, _ = read_cloud_item(
            item,
            columns=self.listing.columns,
            frame=contract.frame,  # type: ignore[arg-type]
            points=contract.points,
            fill=self.entry.fill,
        )
        return cloud

    def truth(
        self, item: Item, prepared: PointCloud, *, classes: int, names: Sequence[str]
    ) -> IntArray | None:
        if self.entry.contract.classifies:
            label, category = item.class_label, prepared.category
            if label is not None:
                index = label.index(names, classes=classes, ignore_label=self.ignore_label)
            elif category in names:
                index = names.index(category)
            elif category.isdecimal() and len(category) < 6 and int(category) < classes:
                index = int(category)
            else:
                return None
            return np.array([index], dtype=np.int32)
        labels = prepared.labels
        if labels is None or self.entry.contract.output_form == "multilabel":
            return None  # one class per point does not fit a multi-label model
        is_ignored = np.zeros(labels.shape, np.bool_)
        if self.ignore_label is not None:
            is_ignored = labels == self.ignore_label
        invalid = labels[~is_ignored & ((labels < 0) | (labels >= classes))]
        if invalid.size:
            raise InputError(
                f"{item.label or item.path}: expected classes from 0 to {classes - 1}, but a point "
                f"has {invalid[0]}; pass --ignore-label {invalid[0]} if that means unlabelled, or "
                "give the labels for this model."
            )
        return labels

    def notes(self, prepared: PointCloud) -> tuple[str, ...]:
        return tuple(
            filter(None, (describe_duplicates(prepared), describe_missing_normals(prepared)))
        )

    def category(self, prepared: PointCloud) -> str:
        return self.entry.category(prepared.category)

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
