"""Modalities of a run: images and point clouds."""

from __future__ import annotations

from onnxcert.inputs import Listing
from onnxcert.media.clouds import PointCloudModality
from onnxcert.media.medium import Modality
from onnxcert.media.pictures import ImageModality
from onnxcert.model.entry import Entry
from onnxcert.model.pictures.entry import PictureEntry
from onnxcert.model.points.entry import PointEntry

__all__ = ["Medium", "medium_of"]


def select_modality(entry: Entry, listing: Listing, ignore_label: int | None) -> Modality:
    """Return the modality of a model, for one listing.

    Args:
        entry: input adapter of the model.
        listing: the inputs.
        ignore_label: ground truth value to ignore, or None.
    """
    if isinstance(entry, PointEntry):
        return PointCloudModality(entry, listing, ignore_label)
    assert isinstance(entry, PictureEntry)
    contract = entry.contract
    return ImageModality(
        listing,
        ignore_label,
        contract.classifies,
        contract.bands,
        contract.declared_channels,
    )
