"""Point clouds as files on disk: formats, data sets and resampling.

A reader lists point clouds as those of `onnxcert.data` list images; `read_cloud_item` turns an
item into the model's input. A new data set is one function and one entry in `CLOUD_READERS`.
"""

from __future__ import annotations

from typing import Final

from onnxcert.data.listing import Reader
from onnxcert.data.points.folder import list_clouds
from onnxcert.data.points.point_cloud import (
    PointCloud,
    describe_duplicates,
    describe_missing_normals,
)
from onnxcert.data.points.preprocess import choose_rows, normalise, read_cloud_item, resample
from onnxcert.data.points.reading import count_points, count_shapes, read_cloud, read_cloud_labels
from onnxcert.data.points.shapenet import SHAPENET_PART_NAMES, SHAPENET_PARTS, list_shapenet_part
from onnxcert.data.points.table import MAX_POINTS, Columns

CLOUD_READERS: Final[dict[str, Reader]] = {
    reader.name: reader
    for reader in (Reader("clouds", list_clouds), Reader("shapenet-part", list_shapenet_part))
}

__all__ = [
    "CLOUD_READERS",
    "MAX_POINTS",
    "SHAPENET_PARTS",
    "SHAPENET_PART_NAMES",
    "Columns",
    "PointCloud",
    "choose_rows",
    "count_points",
    "count_shapes",
    "describe_duplicates",
    "describe_missing_normals",
    "list_clouds",
    "list_shapenet_part",
    "normalise",
    "read_cloud",
    "read_cloud_item",
    "read_cloud_labels",
    "resample",
]
