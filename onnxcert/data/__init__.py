"""Images, label maps and data sets as files on disk.

A reader turns the command-line arguments into a `Listing`; each file is decoded only when the run
reaches it. A new data set needs one file with one class and one entry in `READERS`.
"""

from __future__ import annotations

from onnxcert.data.folder import Folder
from onnxcert.data.images.image import read_image, read_image_size
from onnxcert.data.labels.class_label import ClassLabel
from onnxcert.data.labels.encoding import INDEX, LabelEncoding, LabelMap, read_label_map
from onnxcert.data.labels.mask import read_class_names, read_label_size, read_labels
from onnxcert.data.labels.palette import Palette, read_palette
from onnxcert.data.listing import Item, Listing, Reader, select
from onnxcert.data.shard import Shard
from onnxcert.data.sizes import read_usable_sizes

__all__ = [
    "INDEX",
    "ClassLabel",
    "Folder",
    "Item",
    "LabelEncoding",
    "LabelMap",
    "Listing",
    "Palette",
    "Reader",
    "Shard",
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
