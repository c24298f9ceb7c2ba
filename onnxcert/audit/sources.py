"""The files that a result was made from: read again, and compared with what was certified."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self, final

from onnxcert._typing import FloatArray, IntArray
from onnxcert.data import Item, read_image, read_labels
from onnxcert.data.datasets import READERS
from onnxcert.data.images.bands import grey
from onnxcert.data.labels.mask import unify_ignored
from onnxcert.data.points import CLOUD_READERS, read_cloud_item
from onnxcert.errors import (
    AccessError,
    ContractError,
    InputError,
    ModelError,
    describe_machine_failure,
    refuse_machine_failure,
)
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.model.contract.base import VERSION
from onnxcert.model.contract.modality import Modality
from onnxcert.model.contract.points import PointContract
from onnxcert.model.graph.file import read_model
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
    component = Component.parse(record.tally.kind)
    ignore_label = provenance.parameters.get("ignore_label")
    several: Any = provenance.parameters.get("also_ignored")
    also_ignored = (
        [one for one in several if isinstance(one, int)] if isinstance(several, list) else []
    )
    try:
        recipe = InputRecipe.of(record)
        if recipe.points is not None:
            truth = recipe.read(recipe.item(record))[1]
            if truth is not None:
                truth = unify_ignored(truth, ignore_label, also_ignored)
        elif label and component.is_input_element and component.element is Element.PIXEL:
            height, width = record.tally.candidate.shape[-2:]
            truth = read_labels(
                Path(label),
                size=(height, width),
                classes=record.tally.classes,
                ignore_label=ignore_label,
                also_ignored=also_ignored,
            )
        else:
            truth = None
    except InputError as error:
        refuse_machine_failure(label or provenance.input.get("path"), error)
        return None
    return truth if truth is not None and digest(truth) == known else None


class ModelCheck:
    """Comparison of the model file with the digest in records.

    Args:
        given: the model file; None for the file that each record names.

    Attributes:
        missing: files named by records that do not exist.

    Raises:
        ModelError: `given` cannot be read.
    """

    def __init__(self, given: Path | None = None) -> None:
        self._given = given
        self._digests: dict[Path, str | AccessError | None] = {}
        self.missing: set[str] = set()
        if given is not None:
            self._digests[given] = read_model(given).sha256

    def find_mismatch(self, record: Record) -> str | None:
        """Describe what is wrong with the model of `record`; None if nothing is.

        Raises:
            AccessError: the operating system cannot read the model.
        """
        named = record.provenance.model.get("name", "")
        path = self._given or Path(named)
        if not _is_file(path):
            self.missing.add(named)
            return None
        if path not in self._digests:
            self._digests[path] = _digest_of(path)
        found = self._digests[path]
        if isinstance(found, AccessError):
            raise found
        if found != record.provenance.model.get("sha256"):
            return f"the model {path} differs from the certified model"
        return None


def _digest_of(model: Path) -> str | AccessError | None:
    """Return the digest of a model, None if it is not a model, or the error if unreadable."""
    try:
        return read_model(model).sha256
    except (ModelError, OSError, MemoryError) as error:
        why = describe_machine_failure(error)
        return AccessError(model, why) if why else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        refuse_machine_failure(path, error)
        return False


class InputCheck:
    """Comparison of input files with the inputs that were certified.

    Args:
        given: input files, folders or patterns that must contain every input, under any name; empty
            for the file that each record names.

    Attributes:
        missing: files named by records that do not exist.
        unreadable: given inputs that cannot be read -> reason.

    Raises:
        InputError: a given file does not exist.
    """

    def __init__(self, given: Sequence[str] = ()) -> None:
        self._given = list(given)
        self._listed: dict[bool, tuple[Item, ...]] = {}
        self._digests: dict[str, set[str]] = {}
        self.missing: list[str] = []
        self.unreadable: dict[Path, str] = {}
        self._trouble: AccessError | None = None

    def find_mismatch(self, record: Record) -> str | None:
        """Describe what is wrong with the input of `record`; None if nothing is.

        Raises:
            AccessError: the operating system cannot read the input, or one of the given inputs.
        """
        try:
            recipe = InputRecipe.of(record)
        except InputError as error:
            return str(error)
        if self._given:
            if record.tally.draws.digest in self._digests_of(recipe):
                return None
            if self._trouble is not None:
                raise self._trouble
            return "none of the given inputs is the certified input"
        item = recipe.item(record)
        if not _is_file(item.path):
            self.missing.append(str(item.path))
            return None
        try:
            same = digest(recipe.read(item)[0]) == record.tally.draws.digest
        except (InputError, OSError, MemoryError) as error:
            refuse_machine_failure(item.path, error)
            same = False
        return None if same else f"the input {item.path} differs from the certified input"

    def _list_given(self, *, of_points: bool) -> tuple[Item, ...]:
        """Return the given inputs, read as points or as images."""
        if of_points not in self._listed:
            reader = CLOUD_READERS["clouds"] if of_points else READERS["folder"]
            self._listed[of_points] = reader.list(self._given, None).items
        return self._listed[of_points]

    def _digests_of(self, recipe: InputRecipe) -> set[str]:
        """Return the digests of all given inputs."""
        key = repr(recipe)
        if key not in self._digests:
            self._digests[key] = set()
            for item in self._list_given(of_points=recipe.points is not None):
                try:
                    x, _ = recipe.read(replace(item, category=recipe.category))
                    self._digests[key].add(digest(x))
                except (InputError, OSError, MemoryError) as error:
                    self.unreadable[item.path] = str(error)
                    if why := describe_machine_failure(error):
                        self._trouble = AccessError(item.path, why)
        return self._digests[key]
