"""What the files beside a model say about labels."""

from __future__ import annotations

from onnxcert.errors import ParameterError
from onnxcert.inputs import Listing
from onnxcert.inputs.coding import INDEX
from onnxcert.model.graph import ModelFile
from onnxcert.model.sidecars.carried import carried


def refuse_unreduced(file: ModelFile, listing: Listing, ignore_label: int | None) -> None:
    """Raise ParameterError where labels may be one above the model's classes.

    A model that was trained on labels lowered by one answers 0 where the files of its data set say
    1; whether these labels are lowered already, only the user knows.
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
    """The label that does not count: what was said, or else what did not count in training."""
    if said is not None or not _plain(listing):
        return said
    return carried(file).ignore_label


def _plain(listing: Listing) -> bool:
    """Whether there are label maps, and nothing says what their numbers mean."""
    maps = any(item.label is not None and item.class_label is None for item in listing.items)
    return maps and listing.coding == INDEX
