"""Images, label maps and data sets as files on disk.

A reader turns the command-line arguments into a `Listing`; each file is decoded only when the run
reaches it. A new data set is one entry in `published.PUBLISHED`.
"""

from __future__ import annotations

from onnxcert.data.folder import list_images
from onnxcert.data.images.image import read_image, read_image_size
from onnxcert.data.labels.classes import ClassLabel
from onnxcert.data.labels.encoding import (
    INDEX,
    LabelEncoding,
    Palette,
    read_label_map,
    read_palette,
)
from onnxcert.data.labels.mask import read_class_names, read_label_size, read_labels
from onnxcert.data.listing import Item, Listing, Shard, select
from onnxcert.data.sizes import read_usable_sizes

__all__ = [
    "INDEX",
    "ClassLabel",
    "Item",
    "LabelEncoding",
    "Listing",
    "Palette",
    "Shard",
    "list_images",
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
