"""The input of a stored result once more, from its files, as the model got it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, final

from onnxcert._typing import FloatArray, IntArray
from onnxcert.draws import digest
from onnxcert.errors import ContractError, InputError, refuse_trouble
from onnxcert.inputs import Item, read_image, read_labels
from onnxcert.inputs.clouds import read_item
from onnxcert.inputs.pictures.grey import grey
from onnxcert.model.contract import VERSION
from onnxcert.model.points.contract import PointContract
from onnxcert.model.points.entry import PointEntry
from onnxcert.result import PIXELS
from onnxcert.store import Record


@final
@dataclass(frozen=True)
class Way:
    """How the input of a record was made from its file; equal ways make equal arrays.

    Attributes:
        in_grey: a picture was seen, and certified, in grey.
        bands: names of the bands of a picture that was certified band by band.
        points: the way into a model of points, or None for pictures.
        columns, category: see `onnxcert.inputs.clouds.read_item`.
    """

    in_grey: bool = False
    bands: tuple[str, ...] = ()
    points: PointEntry | None = None
    columns: str | None = None
    category: str = ""

    @classmethod
    def of(cls, record: Record) -> Self:
        """The way that `record` names.

        Raises:
            InputError: it names none that can be understood.
        """
        contract, parameters = record.provenance.contract, record.provenance.parameters
        if contract.get("medium", "picture") == "picture":
            bands = contract.get("bands", [])
            if not isinstance(bands, list | tuple) or not all(
                isinstance(name, str) for name in bands
            ):
                raise InputError(
                    f"the record {record.name} has no names of bands that can be understood, got "
                    f"{bands!r}."
                )
            return cls(in_grey=contract.get("channel_order") == "GRAY", bands=tuple(bands))
        own = {f.name for f in fields(PointContract)} - {"sources"}
        said = {
            name: value
            for name, value in contract.items()
            if name in own and value not in (None, "")
        }
        try:
            text = json.dumps({"version": VERSION, "medium": "points", **said})
            entry = PointEntry(
                PointContract.from_json(text, source="the record"), bool(parameters.get("fill"))
            )
        except (ContractError, ValueError, TypeError) as error:
            raise InputError(
                f"the record {record.name} has no contract of points ({error})."
            ) from None
        columns = parameters.get("columns")
        category = record.provenance.input.get("category", "")
        if not isinstance(columns, str | None) or not isinstance(category, str):
            raise InputError(
                f"the record {record.name} has no columns and category that can be understood, got "
                f"{columns!r} and {category!r}."
            )
        return cls(points=entry, columns=columns, category=category)

    def read(self, item: Item) -> tuple[FloatArray, IntArray | None]:
        """The declared input of `item`, and the classes of its points where it has them.

        Raises:
            InputError: it cannot be read, or cannot be brought to the model.
        """
        if self.points is None:
            picture = read_image(item.path, self.bands)
            return (grey(picture) if self.in_grey else picture), None
        contract = self.points.contract
        cloud, _ = read_item(
            item,
            columns=self.columns,
            frame=contract.frame,  # type: ignore[arg-type]
            points=contract.points,
            fill=self.points.fill,
        )
        return self.points.declared(cloud), cloud.labels

    def item(self, record: Record) -> Item:
        """The input that `record` names."""
        said: dict[str, Any] = record.provenance.input
        index, label = str(said.get("index", "")), str(said.get("label", ""))
        return Item(
            record.name,
            Path(str(said.get("path", ""))),
            Path(label) if label else None,
            category=self.category,
            index=int(index) if index.isdecimal() else None,
        )


def truth_again(record: Record) -> IntArray | None:
    """The labels of an input, if they are where they were, unchanged and plain numbers.

    Raises:
        AccessError: they exist, but the machine cannot read them.
    """
    provenance = record.provenance
    known, label = provenance.input.get("label_sha256"), provenance.input.get("label")
    if not known or "label_coding" in provenance.parameters:
        return None
    try:
        way = Way.of(record)
        if way.points is not None:
            truth = way.read(way.item(record))[1]
        elif label and record.kind.startswith(PIXELS):
            height, width = record.candidate.shape[-2:]
            truth = read_labels(
                Path(label),
                size=(height, width),
                classes=record.classes,
                ignore_label=provenance.parameters.get("ignore_label"),
            )
        else:
            truth = None
    except InputError as error:
        refuse_trouble(label or provenance.input.get("path"), error)
        return None
    return truth if truth is not None and digest(truth) == known else None
