"""Read a listed item as the point cloud that a model gets, before noise."""

from __future__ import annotations

from dataclasses import replace

from onnxcert.data.listing import Item
from onnxcert.data.points.normalize import Frame, normalise
from onnxcert.data.points.point_cloud import (
    PointCloud,
    describe_duplicates,
    describe_missing_normals,
)
from onnxcert.data.points.point_labels import read_cloud_labels
from onnxcert.data.points.reading import describe_source, read_cloud
from onnxcert.data.points.resampling import resample
from onnxcert.errors import InputError


def read_cloud_item(
    item: Item, *, columns: str | None, frame: Frame, points: int | None, fill: bool
) -> tuple[PointCloud, tuple[str, ...]]:
    """Read the point cloud of an item, normalised and with the number of points the model takes.

    Normalisation uses all points of the file; then points are dropped or repeated. The listing
    takes precedence over the file: labels of `item.label`, and `item.category`.

    Args:
        item: the file, and the shape in it.
        columns: meaning of unnamed columns; see `read_cloud`.
        frame: see `normalise`.
        points: number of points that the model takes, None to keep all.
        fill: repeat points if there are too few; see `resample`.

    Returns:
        The point cloud, and quality warnings about its file.

    Raises:
        InputError: a file cannot be used, or its points are all identical or too few.
        ParameterError: `columns`, `frame` or `points` is invalid.
    """
    cloud = read_cloud(item.path, columns=columns, index=item.index)
    # With a class label for the whole shape, `label` is the table that gives it.
    if item.label is not None and item.class_label is None:
        cloud = replace(cloud, labels=read_cloud_labels(item.label, len(cloud)))
    if item.category:
        cloud = replace(cloud, category=item.category)
    warnings = tuple(filter(None, (describe_duplicates(cloud), describe_missing_normals(cloud))))
    try:
        return resample(normalise(cloud, frame), points, fill=fill), warnings
    except InputError as error:
        raise InputError(f"{describe_source(item.path, item.index)}: {error}") from error
