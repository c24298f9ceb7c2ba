"""Modalities of a run: images and point clouds."""

from __future__ import annotations

from onnxcert.inputs import Listing
from onnxcert.media.clouds import Clouds
from onnxcert.media.medium import Medium
from onnxcert.media.pictures import Pictures
from onnxcert.model.entry import Entry
from onnxcert.model.pictures.entry import PictureEntry
from onnxcert.model.points.entry import PointEntry

__all__ = ["Medium", "medium_of"]


def medium_of(entry: Entry, listing: Listing, ignore_label: int | None) -> Medium:
    """Return the modality of a model, for one listing.

    Args:
        entry: input adapter of the model.
        listing: the inputs.
        ignore_label: ground truth value to ignore, or None.
    """
    if isinstance(entry, PointEntry):
        return Clouds(entry, listing, ignore_label)
    assert isinstance(entry, PictureEntry)
    contract = entry.contract
    return Pictures(
        listing,
        ignore_label,
        contract.classifies,
        contract.bands,
        contract.declared_channels,
    )
