"""Label settings in the files next to a model."""

from __future__ import annotations

from onnxcert.data import Listing
from onnxcert.data.labels.encoding import INDEX
from onnxcert.errors import ParameterError
from onnxcert.model.graph.file import ModelFile


def check_label_offset(file: ModelFile, listing: Listing, ignore_label: int | None) -> None:
    """Raise ParameterError if the labels may be one above the model's classes.

    A model that was trained with `reduce_zero_label` predicts 0 where its dataset stores 1. Only
    the user knows whether the given labels are already reduced by one.
    """
    if not _has_plain_labels(listing) or ignore_label is not None:
        return
    source = file.sidecars.reduces_labels
    if source:
        raise ParameterError(
            f"{source} says that the model was trained on labels reduced by one, where 0 is not a "
            "class; pass --label-map ade20k for the labels of the dataset, or --ignore-label 255 "
            "for labels that are already reduced."
        )


def get_ignore_label(file: ModelFile, listing: Listing, given: int | None) -> int | None:
    """Return the given ignored label, or the one that was ignored in training if none is given."""
    if given is not None or not _has_plain_labels(listing):
        return given
    return file.sidecars.ignore_label


def _has_plain_labels(listing: Listing) -> bool:
    """Return whether there are label maps without a given encoding."""
    maps = any(item.label is not None and item.class_label is None for item in listing.items)
    return maps and listing.label_encoding == INDEX
