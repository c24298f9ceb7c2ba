"""The inputs that keywords select, with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, Unpack

from onnxcert.api.keywords import InputKeywords, Name
from onnxcert.data import Listing, read_class_names, select
from onnxcert.data.datasets import READERS, apply_label_encoding
from onnxcert.data.label_pattern import apply_label_pattern
from onnxcert.data.labels.encoding import INDEX
from onnxcert.data.points import CLOUD_READERS, Columns
from onnxcert.errors import InputError, ParameterError, suggest
from onnxcert.model.adapter.base import Adapter
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.model.bundled import samples
from onnxcert.model.contract.modality import Modality
from onnxcert.model.graph.file import ModelFile

# Modality of the model's inputs -> (readers, name of the default reader).
DATASETS: Final = {
    Modality.IMAGE: (READERS, "folder"),
    Modality.POINTS: (CLOUD_READERS, "clouds"),
}


def list_inputs(
    model: Path, inputs: Sequence[str], modality: Modality, **keywords: Unpack[InputKeywords]
) -> Listing:
    """Return the given inputs, or the samples next to the model if none are given.

    Args:
        model: ONNX file.
        inputs: files, folders and glob patterns.
        modality: modality of the model.
        keywords: see `onnxcert.api.keywords.InputKeywords`.

    Raises:
        InputError: an input or its labels are missing.
        ParameterError: a keyword is unknown, or for the other modality.
    """
    listing = _list(model, inputs, modality, keywords)
    listing = select(listing, limit=keywords.get("limit"), every=keywords.get("every"))
    ignored = _as_labels(keywords.get("ignore_label"))
    listing = replace(listing, also_ignored=ignored[1:])
    if modality is Modality.POINTS:
        return _apply_point_words(listing, keywords)
    for name in ("columns", "category"):
        if keywords.get(name) is not None:
            raise ParameterError(
                f"--{name} is for point clouds, but the model takes images; leave it out."
            )
    palette = keywords.get("palette")
    return apply_label_encoding(
        listing,
        palette=None if palette is None else Path(palette),
        label_map=keywords.get("label_map"),
        ignore_label=ignored[0] if ignored else None,
    )


def _as_labels(given: int | Sequence[int] | None) -> tuple[int, ...]:
    """Return the ignored labels in order, so that the given order has no effect."""
    if given is None:
        return ()
    return tuple(sorted({*given})) if isinstance(given, Sequence) else (given,)


def _apply_point_words(listing: Listing, keywords: InputKeywords) -> Listing:
    for name in ("palette", "label_map"):
        if keywords.get(name) is not None:
            raise ParameterError(
                f"--{name.replace('_', '-')} is for images, but the model takes points; leave it "
                "out."
            )
    columns, category, items = keywords.get("columns"), keywords.get("category"), listing.items
    if columns is not None:
        Columns.parse(columns)  # refuse invalid columns before the first input
    if category is not None:
        items = tuple(replace(item, category=category) for item in items)
    return replace(listing, items=items, columns=columns)


def _list(
    model: Path, inputs: Sequence[str], modality: Modality, keywords: InputKeywords
) -> Listing:
    readers, default = DATASETS[modality]
    name, labels = keywords.get("dataset") or default, keywords.get("labels")
    if name not in readers:
        raise ParameterError(
            f"--dataset must be one of {', '.join(readers)}, got {name!r}{suggest(name, readers)}"
        )
    given, pattern = None if labels is None else fspath(labels), keywords.get("labels_pattern")
    if pattern is not None and name != default:
        raise ParameterError(
            f"--labels-pattern cannot be combined with --dataset {name}, which has its own labels; "
            "leave one of them out."
        )
    if inputs and pattern is not None:
        listing = readers[name].list(inputs, None)
        return apply_label_pattern(listing, pattern, None if given is None else Path(given))
    if inputs:
        return readers[name].list(inputs, given)
    found = samples(model)
    if found is None:
        raise InputError(
            f"no inputs were given and {model} has no samples next to it; give input files or a "
            "folder of them."
        )
    if name != default or pattern is not None:
        option = f"--dataset {name}" if pattern is None else "--labels-pattern"
        raise ParameterError(
            f"{option} needs the path of your inputs, but none was given; give it after the model, "
            f"or leave {option} out for the sample inputs."
        )
    folder, beside = found
    return readers[default].list([str(folder)], given or (None if beside is None else str(beside)))


def check_category(category: str | None, entry: Adapter) -> None:
    """Raise ParameterError if `category` is not a category of the model."""
    if category is None or not isinstance(entry, PointAdapter) or not entry.contract.categories:
        return
    names = [name for name, _ in entry.contract.categories]
    if entry.category(category) not in names:
        raise ParameterError(
            f"--category must be one of {', '.join(names)}, got {category!r}"
            f"{suggest(category, names)}"
        )


def collect_class_names(given: Sequence[str] | Name | None, listing: Listing) -> tuple[str, ...]:
    """Return the given class names, those in the given file, or those of the data set."""
    if not given:
        return tuple(listing.class_names or ())
    return read_class_names(Path(given)) if isinstance(given, str | PathLike) else tuple(given)


def find_ignore_label(
    given: int | Sequence[int] | None, listing: Listing, file: ModelFile, modality: Modality
) -> int | None:
    """Return the ignored label: the given one, or that of the data set or the training; or None.

    Of several given ones, return the first in order; the others are in `Listing.also_ignored`.

    Raises:
        ParameterError: The labels may be one above the model's classes. A model that was trained
            with `reduce_zero_label` predicts 0 where its dataset stores 1, and only the user knows
            whether the given labels are already reduced.
    """
    ignored = _as_labels(given)
    given = ignored[0] if ignored else listing.ignore_label
    plain = listing.label_encoding == INDEX and any(
        item.label is not None and item.class_label is None for item in listing.items
    )
    if given is not None or modality is not Modality.IMAGE or not plain:
        return given
    sidecars: Any = file.sidecars
    if sidecars.reduces_labels:
        raise ParameterError(
            f"{sidecars.reduces_labels} says that the model was trained on labels reduced by one, "
            "where 0 is not a class; pass --label-map ade20k for the labels of the dataset, or "
            "--ignore-label 255 for labels that are already reduced."
        )
    label: int | None = sidecars.ignore_label
    return label
