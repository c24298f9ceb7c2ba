"""Figure of a certified point cloud."""

from __future__ import annotations

from pathlib import Path

from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.report.figures.figure import Panel
from onnxcert.report.figures.maps import Maps, write_maps
from onnxcert.report.figures.points.axes import Scene
from onnxcert.report.figures.points.rotation_diagram import Cone, draw_rotation_diagram
from onnxcert.report.figures.points.viewpoint import UP, Vector


def draw_cloud(
    path: Path,
    cloud: PointCloud,
    maps: Maps,
    *,
    title: str,
    caption: str,
    cone: Cone | None = None,
    up: Vector = UP,
) -> None:
    """Write the figure of a cloud; see `write_maps`.

    Each panel shows the shape from the front and, below, from behind and above. Points are shaded
    balls.

    Args:
        path: PNG to write.
        cloud: the points as the model gets them; its labels are not shown.
        maps: the maps of the cloud.
        title: title of the figure.
        caption: the guarantee.
        cone: certified rotations, for a certificate against rotation.
        up: the direction that is upright in the figure.
    """
    scene = Scene.of(cloud, up)
    middle = []
    if cone is not None:
        diagram = draw_rotation_diagram(cone, cloud, scene.size, up)
        middle.append(Panel("Certified rotations", diagram))
    write_maps(path, maps, scene, title=title, caption=caption, middle=middle)
