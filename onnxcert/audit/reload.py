"""Reading the input of a stored result again, as the model received it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, final

from onnxcert._typing import FloatArray, IntArray
from onnxcert.data import Item, read_image, read_labels
from onnxcert.data.images.bands import grey
from onnxcert.data.points import read_cloud_item
from onnxcert.errors import ContractError, InputError, refuse_machine_failure
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.model.contract.base import VERSION
from onnxcert.model.contract.modality import Modality
from onnxcert.model.contract.points import PointContract
from onnxcert.results import Record
from onnxcert.sampling.draws import digest
from onnxcert.sampling.tally import Component, Element


@final
@dataclass(frozen=True)
class InputRecipe:
    """How the input array of a record was made from its file; equal values give equal arrays.

    Attributes:
        in_grey: the image was converted to greyscale and certified so.
        bands: names of the bands of a multi-band image.
        points: input adapter of a model of points, or None for images.
        columns: see `onnxcert.data.points.read_cloud_item`.
        category: see `onnxcert.data.points.read_cloud_item`.
    """

    in_grey: bool = False
    bands: tuple[str, ...] = ()
    points: PointAdapter | None = None
    columns: str | None = None
    category: str = ""

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return how the input of `record` was made.

        Raises:
            InputError: the provenance of the record is not valid.
        """
        contract, parameters = record.provenance.contract, record.provenance.parameters
        if contract.get("medium", Modality.IMAGE) == Modality.IMAGE:
            bands = contract.get("bands", [])
            if not isinstance(bands, list | tuple) or not all(
                isinstance(name, str) for name in bands
            ):
                raise InputError(
                    f"the record {record.name} has invalid band names: expected strings, got "
                    f"{bands!r}."
                )
            return cls(in_grey=contract.get("channel_order") == "GRAY", bands=tuple(bands))
        own = {f.name for f in fields(PointContract)} - {"sources"}
        stored = {
            name: value
            for name, value in contract.items()
            if name in own and value not in (None, "")
        }
        try:
            text = json.dumps({"version": VERSION, "medium": Modality.POINTS, **stored})
            entry = PointAdapter(
                PointContract.from_json(text, source="the record"), bool(parameters.get("fill"))
            )
        except (ContractError, ValueError, TypeError) as error:
            raise InputError(
                f"the record {record.name} has no valid contract for points ({error})."
            ) from None
        columns = parameters.get("columns")
        category = record.provenance.input.get("category", "")
        if not isinstance(columns, str | None) or not isinstance(category, str):
            raise InputError(
                f"the record {record.name} has invalid columns or category: expected strings, got "
                f"{columns!r} and {category!r}."
            )
        return cls(points=entry, columns=columns, category=category)

    def read(self, item: Item) -> tuple[FloatArray, IntArray | None]:
        """Return the input array of `item`, and the classes of its points or None.

        Raises:
            InputError: the input cannot be read, or does not fit the model.
        """
        if self.points is None:
            picture = read_image(item.path, self.bands)
            return (grey(picture) if self.in_grey else picture), None
        contract = self.points.contract
        cloud, _ = read_cloud_item(
            item,
            columns=self.columns,
            frame=contract.frame,  # type: ignore[arg-type]
            points=contract.points,
            fill=self.points.fill,
        )
        return self.points.to_array(cloud), cloud.labels

    def item(self, record: Record) -> Item:
        """Return the input that `record` names."""
        stored: dict[str, Any] = record.provenance.input
        index, label = str(stored.get("index", "")), str(stored.get("label", ""))
        return Item(
            record.name,
            Path(str(stored.get("path", ""))),
            Path(label) if label else None,
            category=self.category,
            index=int(index) if index.isdecimal() else None,
        )


def reread_truth(record: Record) -> IntArray | None:
    """Read the ground truth of a record again.

    Return None if the file is missing or has changed, or uses a special label encoding.

    Raises:
        AccessError: the file exists, but the operating system cannot read it.
    """
    provenance = record.provenance
    known, label = provenance.input.get("label_sha256"), provenance.input.get("label")
    if not known or "label_coding" in provenance.parameters:
        return None
    component = Component.parse(record.kind)
    try:
        recipe = InputRecipe.of(record)
        if recipe.points is not None:
            truth = recipe.read(recipe.item(record))[1]
        elif label and component.is_input_element and component.element is Element.PIXEL:
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
        refuse_machine_failure(label or provenance.input.get("path"), error)
        return None
    return truth if truth is not None and digest(truth) == known else None
