"""Readers of published data sets of images.

A new data set is one file with one class and one entry in `READERS`.
"""

from __future__ import annotations

from typing import Final

from onnxcert.data.datasets.ade20k import ADE20K
from onnxcert.data.datasets.camvid import CamVid
from onnxcert.data.datasets.cityscapes import Cityscapes
from onnxcert.data.datasets.conventions import LABEL_MAPS, apply_label_encoding
from onnxcert.data.datasets.imagefolder import ImageFolder
from onnxcert.data.datasets.pascal import PascalContext, PascalContext59, PascalVOC
from onnxcert.data.folder import Folder
from onnxcert.data.listing import Reader

_READERS: Final[tuple[type[Reader], ...]] = (
    Folder,
    ImageFolder,
    CamVid,
    Cityscapes,
    PascalVOC,
    PascalContext,
    PascalContext59,
    ADE20K,
)


READERS: Final[dict[str, type[Reader]]] = {reader.name: reader for reader in _READERS}


__all__ = [
    "ADE20K",
    "LABEL_MAPS",
    "READERS",
    "CamVid",
    "Cityscapes",
    "ImageFolder",
    "PascalContext",
    "PascalContext59",
    "PascalVOC",
    "apply_label_encoding",
]
