"""Exported files of one point-cloud record: label files and figures.

The labels `labels/NAME.npy` are written from the record alone. A record holds no coordinates, so
files that show them need the input: the figure `pictures/NAME.png` and, for viewers,
`pictures/NAME.ply` in the colours of the certified labels. A multi-label record has one of both
for each label, in a folder with the input's name; a classifier's record has the PNG only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from onnxcert._typing import IntArray, LevelArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.files.inside import make_parents_inside
from onnxcert.report.export.ply import write_cloud_ply
from onnxcert.report.export.record import certified_radius, encode_npy, figure_colours, figure_paths
from onnxcert.report.figures import palette
from onnxcert.report.figures.classification import draw_classifier_record
from onnxcert.report.figures.images import RadiusMap
from onnxcert.report.figures.points.axes import Scene
from onnxcert.report.figures.points.figure import draw_cloud
from onnxcert.report.figures.points.rotation_diagram import Cone
from onnxcert.report.figures.points.viewpoint import Vector
from onnxcert.results import Record

RADIANS: Final = "radians"  # unit of a radius that is a rotation angle
_GREY: Final = (150, 156, 164)
_AXES: Final[dict[str, Vector]] = {
    "x": (1.0, 0.0, 0.0),
    "y": (0.0, 1.0, 0.0),
    "z": (0.0, 0.0, 1.0),
}


def has_cloud_labels(folder: Path, name: str) -> bool:
    """Return whether the label file of a cloud exists."""
    return (folder / "labels" / f"{name}.npy").exists()


def cloud_label_files(record: Record) -> Iterator[tuple[Path, bytes]]:
    """Yield (path in the results folder, content) of each label file.

    It is a `.npy` of the certified labels, int32 [N] or [L, N], -1 for abstention.
    """
    labels = np.asarray(record.labels[...], np.int32)
    yield Path("labels", f"{record.name}.npy"), encode_npy(labels)


def draw_cloud_record(
    folder: Path,
    record: Record,
    *,
    cloud: PointCloud,
    truth: IntArray | None,
    class_names: Sequence[str],
    ignore_label: int | None,
) -> None:
    """Write the figure and the PLY of a cloud below `folder`.

    Args:
        folder: the results folder.
        record: record of the input.
        cloud: the points as the model gets them, one for each component of the record.
        truth: ground truth, integers [N], or [L, N] by label, or [1] of a classifier; None if
            unknown.
        class_names: names by class index.
        ignore_label: ground-truth value of unlabelled points, or None.

    Raises:
        ParameterError: `cloud` and the record differ in the number of points.
        StoreError: a file cannot be written.
    """
    contract = record.provenance.contract
    if contract.get("task") == "classification":
        seen = Scene.of(cloud).paint_plain(_GREY).transpose(2, 0, 1).astype(
            np.float32
        ) / np.float32(255)
        path = make_parents_inside(folder, Path("pictures", f"{record.name}.png"))
        draw_classifier_record(path, record, image=seen, truth=truth, class_names=class_names)
        return
    category = record.provenance.input.get("category", "") or cloud.category
    named = category and category != record.name
    title = f"{record.name}: {category}" if named else record.name
    own = dict(contract.get("categories", ())).get(category, ())
    radius = certified_radius(record)
    clean, certified, hits = (
        np.asarray(array[...]) for array in (record.clean, record.labels, record.tally.hits)
    )
    many = certified.ndim == 2
    for below, names, index in figure_paths("pictures", record.name, class_names, many=many):
        colours = figure_colours(names, index) if many else palette.part_colours(names, own)
        path = make_parents_inside(folder, below)
        if many:  # a lighter "no" would look like abstention where the surface is bright
            colours[0] = _GREY
        write_cloud_ply(path.with_suffix(".ply"), cloud, certified[index], colours)
        draw_cloud(
            path,
            cloud=cloud,
            truth=truth[index] if truth is not None and truth.ndim == 2 else truth,
            clean=clean[index],
            certified=certified[index],
            hit_rate=hits[index] / record.tally.n,
            class_names=names,
            colours=colours,
            ignore_label=ignore_label,
            tau=record.decision.tau,
            caption=record.guarantee,
            title=f"{title}: {path.stem}" if many else title,
            radii=None if radius is None else _radius_map(record, radius[index]),
            cone=certified_cone(record),
        )


def certified_cone(record: Record) -> Cone | None:
    """Return the rotations that the labels are certified for; None for another perturbation."""
    perturbation = record.tally.draws.perturbation
    if perturbation.unit != RADIANS:
        return None
    angle = record.decision.radius[0]
    parameters = perturbation.parameters()
    parameters = parameters.get("of", parameters)  # of the perturbation inside `OnChannels`
    axis = parameters.get("axis")  # of a rotation about one fixed axis
    about: Vector | None = None if axis is None else _AXES[axis]
    # The last digits of a radius are rounded down, so pi is reached only nearly.
    return Cone(min(angle, math.pi), angle >= math.pi * (1 - 1e-9), about)


def _radius_map(record: Record, radius: LevelArray) -> RadiusMap:
    largest, requested = float(record.radii[-1]), sorted(record.decision.radius)
    unit = record.tally.draws.perturbation.unit or record.tally.unit
    if unit != RADIANS:
        return RadiusMap(radius, largest, tuple(requested), unit)
    return RadiusMap(
        np.degrees(radius), math.degrees(largest), tuple(map(math.degrees, requested)), "degrees"
    )
