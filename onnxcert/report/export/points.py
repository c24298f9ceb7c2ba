"""Exported files of one point-cloud record: label files and figures.

The labels `labels/NAME.npy` are written from the record alone. A record holds no coordinates, so
files that show them need the input: the figure `pictures/NAME.png` and, for viewers,
`pictures/NAME.ply` in the colours of the certified labels. A multi-label record has one of both
for each label, in a folder with the input's name; a classifier's record has the PNG only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.files.inside import make_parents_inside
from onnxcert.report.export.ply import write_cloud_ply
from onnxcert.report.export.record import RADIANS, figure_maps
from onnxcert.report.figures.classification import draw_classifier_record
from onnxcert.report.figures.figure import Panel
from onnxcert.report.figures.maps import write_maps
from onnxcert.report.figures.points.axes import Scene
from onnxcert.report.figures.points.rotation_diagram import AXES, Cone, draw_rotation_diagram
from onnxcert.report.figures.points.viewpoint import Vector
from onnxcert.results import Record

_GREY: Final = (150, 156, 164)


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
    contract, scene = record.provenance.contract, Scene.of(cloud)
    if contract.get("task") == "classification":
        seen = scene.paint_plain(_GREY).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
        path = make_parents_inside(folder, Path("pictures", f"{record.name}.png"))
        draw_classifier_record(path, record, image=seen, truth=truth, class_names=class_names)
        return
    category = record.provenance.input.get("category", "") or cloud.category
    named = category and category != record.name
    title = f"{record.name}: {category}" if named else record.name
    own = dict(contract.get("categories", ())).get(category, ())
    cone = certified_cone(record)
    middle = []
    if cone is not None:
        diagram = draw_rotation_diagram(cone, cloud, scene.size)
        middle.append(Panel("Certified rotations", diagram))
    # "No" is grey: lighter, it would look like abstention where the surface is bright.
    for below, name, maps in figure_maps(
        record, title, class_names, truth, ignore_label, grid=scene.grid, own=own, no=_GREY
    ):
        path, caption = make_parents_inside(folder, below), record.guarantee
        write_cloud_ply(path.with_suffix(".ply"), cloud, maps.certified, maps.colours)
        write_maps(path, maps, scene, title=name, caption=caption, middle=middle)


def certified_cone(record: Record) -> Cone | None:
    """Return the rotations that the labels are certified for; None for another perturbation."""
    perturbation = record.tally.draws.perturbation
    if perturbation.unit != RADIANS:
        return None
    angle = record.decision.radius[0]
    parameters = perturbation.parameters()
    parameters = parameters.get("of", parameters)  # of the perturbation inside `OnChannels`
    axis = parameters.get("axis")  # of a rotation about one fixed axis
    about: Vector | None = None if axis is None else AXES[axis]
    # The last digits of a radius are rounded down, so pi is reached only nearly.
    return Cone(min(angle, math.pi), angle >= math.pi * (1 - 1e-9), about)
