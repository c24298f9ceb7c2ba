"""Point clouds as files on disk: formats, data sets and resampling.

A reader lists point clouds as those of `onnxcert.inputs` list images; `read_cloud_item` turns an
item into the model's input. A new data set needs one file with one class and one entry in
`CLOUD_READERS`.
"""

from __future__ import annotations

from typing import Final

from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.columns import Columns
from onnxcert.inputs.clouds.folder import CloudFolder
from onnxcert.inputs.clouds.frame import FRAMES, Frame, normalise
from onnxcert.inputs.clouds.limits import MAX_POINTS
from onnxcert.inputs.clouds.oddities import describe_duplicates, describe_missing_normals
from onnxcert.inputs.clouds.point_labels import read_cloud_labels
from onnxcert.inputs.clouds.preparation import read_cloud_item
from onnxcert.inputs.clouds.reading import count_points, count_shapes, read_cloud
from onnxcert.inputs.clouds.resampling import choose_rows, resample
from onnxcert.inputs.clouds.shapenet import ShapeNetPart
from onnxcert.inputs.clouds.shapenet_parts import SHAPENET_PART_NAMES, SHAPENET_PARTS
from onnxcert.inputs.listing import Reader

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
