"""Modalities of a run: images and point clouds."""

from __future__ import annotations

from onnxcert.data import Listing
from onnxcert.model.adapter.base import Adapter
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.run.modality.base import Modality
from onnxcert.run.modality.image import ImageModality
from onnxcert.run.modality.points import PointCloudModality

__all__ = ["Medium", "medium_of"]


def select_modality(entry: Adapter, listing: Listing, ignore_label: int | None) -> Modality:
    """Return the modality of a model, for one listing.

    Args:
        entry: input adapter of the model.
        listing: the inputs.
        ignore_label: ground truth value to ignore, or None.
    """
    if isinstance(entry, PointAdapter):
        return PointCloudModality(entry, listing, ignore_label)
    assert isinstance(entry, ImageAdapter)
    contract = entry.contract
    return ImageModality(
        listing,
        ignore_label,
        contract.classifies,
        contract.bands,
        contract.declared_channels,
    )
