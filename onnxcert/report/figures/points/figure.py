"""Figure of a certified point cloud: ground truth, predictions, hit rate, certified radius."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxcert._typing import BoolArray, IntArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.errors import ParameterError
from onnxcert.report.figures.axes import ByteArray, ignored_mask
from onnxcert.report.figures.figure import Panel, write_figure
from onnxcert.report.figures.images import RadiusMap
from onnxcert.report.figures.legend import hit_rate_scale, legend_entries, radius_scale
from onnxcert.report.figures.points.axes import Scene
from onnxcert.report.figures.points.rotation_diagram import Cone, draw_rotation_diagram
from onnxcert.report.figures.points.viewpoint import UP, Vector


def draw_cloud(
    path: Path,
    *,
    cloud: PointCloud,
    truth: IntArray | None,
    clean: IntArray,
    certified: IntArray,
    hit_rate: npt.NDArray[np.floating[Any]],
    class_names: Sequence[str],
    colours: ByteArray,
    ignore_label: int | None,
    tau: float,
    caption: str,
    title: str,
    radii: RadiusMap | None = None,
    cone: Cone | None = None,
    up: Vector = UP,
) -> None:
    """Write one PNG with all panels side by side, a legend and a caption.

    Each panel shows the shape from the front and, below, from behind and above. Points are shaded
    balls. Equal arguments give equal bytes.

    Args:
        path: PNG to write; replaced atomically if it exists.
        cloud: the points as the model gets them; its labels are not shown.
        truth: ground truth, integers [N], or None if unknown.
        clean: prediction without noise, integers [N].
        certified: certified prediction, integers [N]; ABSTAIN is drawn white.
        hit_rate: share of the votes for the candidate class, [N], in [0, 1].
        class_names: names by index; a class without a name is called by its number.
        colours: uint8 [classes, 3], from `palette`.
        ignore_label: ground-truth value of unlabelled points, which are hatched, or None.
        tau: required hit rate, marked on the scale.
        caption: the guarantee; wrapped, with its line breaks kept.
        title: title of the figure.
        radii: certified radius of each point, [N], if several radii were certified.
        cone: certified rotations, for a certificate against rotation.
        up: the direction that is upright in the figure.

    Raises:
        ParameterError: the arrays differ in length.
        StoreError: `path` cannot be written.
    """
    maps = [clean, certified, hit_rate, *([] if truth is None else [truth])]
    if radii is not None:
        maps.append(radii.radius)
    if any(one.shape != (len(cloud),) for one in maps):
        raise ParameterError(
            f"expected a value for each of {len(cloud)} points, but the shapes are "
            f"{', '.join(str(one.shape) for one in maps)}: pass the arrays of one cloud."
        )
    painted: list[tuple[str, IntArray, BoolArray | None]] = [
        ("Clean prediction", clean, None),
        ("Certified prediction", certified, None),
    ]
    if truth is not None:
        ignored = ignored_mask(truth, len(colours), ignore_label)
        painted.insert(0, ("Ground truth", truth, ignored))
    scene = Scene.of(cloud, up)
    panels = [
        Panel(heading, scene.paint_labels(labels, colours, ignored))
        for heading, labels, ignored in painted
    ]
    if cone is not None:
        panels.append(
            Panel("Certified rotations", draw_rotation_diagram(cone, cloud, scene.size, up))
        )
    panels.append(Panel("Hit rate", scene.paint_hit_rate(hit_rate), hit_rate_scale(tau)))
    if radii is not None:
        scale = radius_scale(radii.largest, radii.requested, radii.unit)
        heat = scene.paint_radius(radii.radius, radii.largest)
        panels.append(Panel("Certified radius", heat, scale))
    entries = legend_entries(
        [(labels, ignored) for _, labels, ignored in painted], class_names, colours
    )
    write_figure(path, panels, entries, title=title, caption=caption)
