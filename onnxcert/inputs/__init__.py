"""Images, label maps and data sets as files on disk.

A reader turns the command-line arguments into a `Listing`; each file is decoded only when the run
reaches it. A new data set needs one file with one class and one entry in `READERS`.
"""

from __future__ import annotations

from typing import Final

from onnxcert.inputs.class_labels import ClassLabel
from onnxcert.inputs.coding import INDEX, LabelEncoding
from onnxcert.inputs.convention import LABEL_MAPS, apply_label_encoding
from onnxcert.inputs.datasets.ade20k import ADE20K
from onnxcert.inputs.datasets.camvid import CamVid
from onnxcert.inputs.datasets.cityscapes import Cityscapes
from onnxcert.inputs.datasets.imagefolder import ImageFolder
from onnxcert.inputs.datasets.pascal_context import PascalContext, PascalContext59
from onnxcert.inputs.datasets.voc import PascalVOC
from onnxcert.inputs.folder import Folder
from onnxcert.inputs.label_map import LabelMap, read_label_map
from onnxcert.inputs.labels import read_class_names, read_label_size, read_labels
from onnxcert.inputs.listing import Item, Listing, Reader, select
from onnxcert.inputs.palette import Palette, read_palette
from onnxcert.inputs.pictures.image import read_image, read_image_size
from onnxcert.inputs.pictures.sizes import read_usable_sizes
from onnxcert.inputs.shard import Shard

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
    "INDEX",
    "LABEL_MAPS",
    "READERS",
    "CamVid",
    "Cityscapes",
    "ClassLabel",
    "Folder",
    "ImageFolder",
    "Item",
    "LabelEncoding",
    "LabelMap",
    "Listing",
    "Palette",
    "PascalContext",
    "PascalContext59",
    "PascalVOC",
    "Reader",
    "Shard",
    "apply_label_encoding",
    "read_class_names",
    "read_image",
    "read_image_size",
    "read_label_map",
    "read_label_size",
    "read_labels",
    "read_palette",
    "read_usable_sizes",
    "select",
]
