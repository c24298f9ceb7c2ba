"""The files of one cloud's record that other programs and people open: labels and pictures.

Labels are an array `labels/NAME.npy`, written from the record alone. A record holds no
coordinates, so what shows them is drawn beside the input: the sheet `pictures/NAME.png` and, for
viewers, `pictures/NAME.ply` in the colours of the certified labels. A multi-label record has one
of both for each label, in a folder of the input's name; a classifier's has the PNG only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inside import file_inside
from onnxcert.report import palette
from onnxcert.report.classification import draw_classified
from onnxcert.report.clouds.cone import Cone
from onnxcert.report.clouds.panels import Scene
from onnxcert.report.clouds.ply import write_cloud_ply
from onnxcert.report.clouds.sheet import draw_cloud
from onnxcert.report.clouds.viewpoint import Vector
from onnxcert.report.of_record import npy_of, radius_of, sheet_colours, sheets
from onnxcert.report.panels import ByteArray
from onnxcert.report.pictures import RadiusMap
from onnxcert.store import Record

RADIANS: Final = "radians"  # unit of a radius that is the angle of a rotation
_GREY: Final = (150, 156, 164)
_AXES: Final[dict[str, Vector]] = {
    "x": (1.0, 0.0, 0.0),
    "y": (0.0, 1.0, 0.0),
    "z": (0.0, 0.0, 1.0),
}


def has_cloud_labels(folder: Path, name: str) -> bool:
    """Whether the label file of a cloud is there."""
    return (folder / "labels" / f"{name}.npy").exists()


def cloud_label_files(record: Record) -> Iterator[tuple[Path, bytes]]:
    """Yield (path in the results folder, content) of the `.npy` of certified labels: int32 [N], or
    [L, N]; abstain -1."""
    labels = np.asarray(record.labels[...], np.int32)
    yield Path("labels", f"{record.name}.npy"), npy_of(labels)


def draw_cloud_record(
    folder: Path,
    record: Record,
    *,
    cloud: PointCloud,
    truth: IntArray | None,
    class_names: Sequence[str],
    ignore_label: int | None,
) -> None:
    """The sheet and the PLY of a cloud, below `folder`.

    Args:
        cloud: the points as the model gets them, one for each component of the record.
        truth: integers [N], or [L, N] by label, or [1] of a classifier; None where none are
            known.

    Raises:
        ParameterError: `cloud` has another number of points than the record.
        StoreError: a file cannot be written.
    """
    contract = record.provenance.contract
    if contract.get("task") == "classification":
        seen = Scene.of(cloud).plain(_GREY).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
        path = file_inside(folder, Path("pictures", f"{record.name}.png"))
        draw_classified(path, record, photograph=seen, truth=truth, class_names=class_names)
        return
    category = record.provenance.input.get("category", "") or cloud.category
    said = category and category != record.name
    title = f"{record.name}: {category}" if said else record.name
    own = dict(contract.get("categories", ())).get(category, ())
    radius = radius_of(record)
    clean, certified, hits = (
        np.asarray(array[...]) for array in (record.clean, record.labels, record.hits)
    )
    many = certified.ndim == 2
    for below, names, index in sheets("pictures", record.name, class_names, many=many):
        colours = sheet_colours(names, index) if many else part_colours(names, own)
        path = file_inside(folder, below)
        if many:  # a lighter "no" would pass for abstention where light falls on it
            colours[0] = _GREY
        write_cloud_ply(path.with_suffix(".ply"), cloud, certified[index], colours)
        draw_cloud(
            path,
            cloud=cloud,
            truth=truth[index] if truth is not None and truth.ndim == 2 else truth,
            clean=clean[index],
            certified=certified[index],
            hit_rate=hits[index] / record.n,
            class_names=names,
            colours=colours,
            ignore_label=ignore_label,
            tau=record.decision.tau,
            caption=record.decision.statement,
            title=f"{title}: {path.stem}" if many else title,
            radii=None if radius is None else _map(record, radius[index]),
            cone=cone_of(record),
        )


def part_colours(class_names: Sequence[str], own: Sequence[int]) -> ByteArray:
    """A colour for each class; the first and best ones for `own`, the parts of a category.

    Fifty parts of all categories would be shades of each other, but a shape has few of them.

    Returns:
        uint8 [classes, 3].
    """
    order = [*own, *(i for i in range(len(class_names)) if i not in set(own))]
    colours = np.empty((len(class_names), 3), np.uint8)
    colours[order] = palette.colours([class_names[i] for i in order])
    return colours


def cone_of(record: Record) -> Cone | None:
    """The rotations that `labels` are certified for; None for another kind of attack."""
    perturbation = record.draws.perturbation
    if perturbation.unit(record.unit) != RADIANS:
        return None
    angle = record.decision.radius[0]
    parameters = perturbation.parameters()
    parameters = parameters.get("of", parameters)  # of what is done to some channels
    axis = parameters.get("axis")  # of a rotation about one axis
    about: Vector | None = None if axis is None else _AXES[axis]
    # A radius is rounded down in its last digits.
    return Cone(min(angle, math.pi), angle >= math.pi * (1 - 1e-9), about)


def _map(record: Record, radius: LevelArray) -> RadiusMap:
    largest, asked = float(record.radii[-1]), sorted(record.decision.radius)
    unit = record.draws.perturbation.unit(record.unit)
    if unit != RADIANS:
        return RadiusMap(radius, largest, tuple(asked), unit)
    return RadiusMap(
        np.degrees(radius), math.degrees(largest), tuple(map(math.degrees, asked)), "degrees"
    )
