"""An item of a listing as the cloud that a model gets, before any noise."""

from __future__ import annotations

from dataclasses import replace

from onnxcert.errors import InputError
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.frame import Frame, framed
from onnxcert.inputs.clouds.oddities import duplicates, missing_normals
from onnxcert.inputs.clouds.point_labels import read_cloud_labels
from onnxcert.inputs.clouds.reading import called, read_cloud
from onnxcert.inputs.clouds.resampling import kept
from onnxcert.inputs.listing import Item


def read_item(
    item: Item, *, columns: str | None, frame: Frame, points: int | None, fill: bool
) -> tuple[PointCloud, tuple[str, ...]]:
    """Read the cloud of an item, in the model's frame and with as many points as it takes.

    The frame is that of all points of the file; then points are kept or repeated. What the
    listing says counts before what the file says: labels of `item.label`, and `item.category`.

    Args:
        item: which file, and which shape in it.
        columns: what nameless columns are; see `read_cloud`.
        frame: see `framed`.
        points: how many the model takes, None for all there are; `fill`: see `kept`.

    Returns:
        The cloud, and sentences about what is odd in its file.

    Raises:
        InputError: a file cannot be used, the points are all the same, or too few.
        ParameterError: `columns`, `frame` or `points` is none.
    """
    cloud = read_cloud(item.path, columns=columns, index=item.index)
    # Where there is a class for the whole shape, `label` is the table that tells it.
    if item.label is not None and item.class_label is None:
        cloud = replace(cloud, labels=read_cloud_labels(item.label, len(cloud)))
    if item.category:
        cloud = replace(cloud, category=item.category)
    odd = tuple(filter(None, (duplicates(cloud), missing_normals(cloud))))
    try:
        return kept(framed(cloud, frame), points, fill=fill), odd
    except InputError as error:
        raise InputError(f"{called(item.path, item.index)}: {error}") from error
