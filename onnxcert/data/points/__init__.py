"""Point clouds as files on disk: formats, data sets and resampling.

A reader lists point clouds as those of `onnxcert.data` list images; `read_cloud_item` turns an
item into the model's input. A new data set needs one file with one class and one entry in
`CLOUD_READERS`.
"""

from __future__ import annotations

from typing import Final

from onnxcert.data.listing import Reader
from onnxcert.data.points.categories import SHAPENET_PART_NAMES, SHAPENET_PARTS
from onnxcert.data.points.columns import Columns
from onnxcert.data.points.folder import CloudFolder
from onnxcert.data.points.normalize import FRAMES, Frame, normalise
from onnxcert.data.points.point_cloud import (
    PointCloud,
    describe_duplicates,
    describe_missing_normals,
)
from onnxcert.data.points.point_labels import read_cloud_labels
from onnxcert.data.points.preprocess import read_cloud_item
from onnxcert.data.points.reading import count_points, count_shapes, read_cloud
from onnxcert.data.points.resampling import choose_rows, resample
from onnxcert.data.points.shapenet import ShapeNetPart
from onnxcert.data.points.validation import MAX_POINTS

_READERS: Final[tuple[type[Reader], ...]] = (CloudFolder, ShapeNetPart)

CLOUD_READERS: Final[dict[str, type[Reader]]] = {reader.name: reader for reader in _READERS}

__all__ = [
    "CLOUD_READERS",
    "FRAMES",
    "MAX_POINTS",
    "SHAPENET_PARTS",
    "SHAPENET_PART_NAMES",
    "CloudFolder",
    "Columns",
    "Frame",
    "PointCloud",
    "ShapeNetPart",
    "choose_rows",
    "count_points",
    "count_shapes",
    "describe_duplicates",
    "describe_missing_normals",
    "normalise",
    "read_cloud",
    "read_cloud_item",
    "read_cloud_labels",
    "resample",
]
