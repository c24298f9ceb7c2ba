"""What the files beside a model say about labels."""

from __future__ import annotations

from onnxcert.errors import ParameterError
from onnxcert.inputs import Listing
from onnxcert.inputs.coding import INDEX
from onnxcert.model.graph import ModelFile
from onnxcert.model.sidecars.carried import carried


def refuse_unreduced(file: ModelFile, listing: Listing, ignore_label: int | None) -> None:
    """Raise ParameterError if labels may be one above the model's classes.

    A model that was trained on labels lowered by one answers 0 where the files of its data set hold
    1. Only the user knows whether the given labels are lowered already.
    """
    if not _plain(listing) or ignore_label is not None:
        return
    source = carried(file).reduces_labels
    if source:
        raise ParameterError(
            f"{source} says that the model was trained on labels lowered by one, where 0 is no "
            "class; pass --label-map ade20k for labels as the data set has them, or --ignore-label "
            "255 for labels that are lowered already."
        )


def ignored(file: ModelFile, listing: Listing, said: int | None) -> int | None:
    """Return the ignored label: the one given, or else the one that was ignored in training."""
    if said is not None or not _plain(listing):
        return said
    return carried(file).ignore_label


def _plain(listing: Listing) -> bool:
    """Return whether there are label maps without a given encoding."""
    maps = any(item.label is not None and item.class_label is None for item in listing.items)
    return maps and listing.coding == INDEX
