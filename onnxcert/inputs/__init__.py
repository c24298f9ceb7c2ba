"""Pictures, label maps and data sets, as files on disk.

A reader turns what stands on the command line into a `Listing`; nothing is decoded until its turn
comes. A new data set is one file with one class and one entry in `READERS`.
"""

from __future__ import annotations

from typing import Final

from onnxcert.inputs.camvid import CamVid
from onnxcert.inputs.folder import Folder
from onnxcert.inputs.image import image_size, read_image
from onnxcert.inputs.labels import label_size, read_class_names, read_labels
from onnxcert.inputs.listing import Item, Listing, Reader, select
from onnxcert.inputs.sizes import usable_sizes

_READERS: Final[tuple[type[Reader], ...]] = (Folder, CamVid)

READERS: Final[dict[str, type[Reader]]] = {reader.name: reader for reader in _READERS}

__all__ = [
    "READERS",
    "CamVid",
    "Folder",
    "Item",
    "Listing",
    "Reader",
    "image_size",
    "label_size",
    "read_class_names",
    "read_image",
    "read_labels",
    "select",
    "usable_sizes",
]
