"""Export of a point cloud as PLY, coloured by its labels."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.errors import ParameterError
from onnxcert.files.atomic import write_atomically
from onnxcert.report.figures.axes import ByteArray
from onnxcert.statistics.certificate import ABSTAIN

# Abstaining points must be visible on the white and on the black background of viewers.
PALE: Final = (222, 224, 227)

_TYPES: Final = {"float": "<f4", "uchar": "u1", "int": "<i4"}  # PLY type -> NumPy type


def write_cloud_ply(path: Path, cloud: PointCloud, labels: IntArray, colours: ByteArray) -> None:
    """Write points, normals if there are any, colours and labels as binary little-endian PLY.

    The property names are those that MeshLab, CloudCompare and Open3D read: x y z, nx ny nz, red
    green blue. `label` is the class; abstention is -1 with a pale colour.

    Args:
        path: file to write; replaced atomically if it exists.
        cloud: the points.
        labels: integers [N]; a value that is no class counts as abstention.
        colours: uint8 [classes, 3].

    Raises:
        ParameterError: `labels` does not have one label for each point.
        StoreError: `path` cannot be written.
    """
    if labels.shape != (len(cloud),):
        raise ParameterError(
            f"expected one label for each of {len(cloud)} points, got shape {list(labels.shape)}; "
            "pass the labels of this cloud."
        )
    coordinates = {"xyz": cloud.points}
    if cloud.normals is not None:
        coordinates["nx ny nz"] = cloud.normals
    known = (labels >= 0) & (labels < len(colours))
    table = np.vstack([colours.reshape(-1, 3), np.array(PALE, np.uint8)])
    shown = table[np.where(known, labels, len(colours))]

    columns: list[tuple[str, str, np.ndarray]] = []
    for names, array in coordinates.items():
        each = names.split() if " " in names else list(names)
        columns += [(name, "float", array[:, i]) for i, name in enumerate(each)]
    columns += [(name, "uchar", shown[:, i]) for i, name in enumerate(("red", "green", "blue"))]
    columns.append(("label", "int", np.where(known, labels, ABSTAIN)))
    body = np.empty(len(cloud), [(name, _TYPES[kind]) for name, kind, _ in columns])
    for name, _, column in columns:
        body[name] = column
    head = [
        "ply",
        "format binary_little_endian 1.0",
        "comment label: the certified class, -1 where there is none",
        f"element vertex {len(cloud)}",
        *(f"property {kind} {name}" for name, kind, _ in columns),
        "end_header\n",
    ]
    written = "\n".join(head).encode("ascii") + body.tobytes()

    def write(temporary: Path) -> None:
        temporary.write_bytes(written)

    write_atomically(path, write)
