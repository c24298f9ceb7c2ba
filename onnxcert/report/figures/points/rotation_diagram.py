"""Rotation diagram: where a direction may point after any rotation that a certificate covers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np

from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.errors import ParameterError
from onnxcert.report.figures.axes import LINE, ByteArray
from onnxcert.report.figures.points.axes import GROUND
from onnxcert.report.figures.points.rendering import FINE, Rendering, Surface, Window
from onnxcert.report.figures.points.viewpoint import UP, Vector, Vectors, Viewpoint
from onnxcert.report.figures.text import FAINT, INK, load_font, wrap_text
from onnxcert.statistics.guarantee import round_down

if TYPE_CHECKING:
    from PIL import Image, ImageDraw


AXES: Final[dict[str, Vector]] = {
    "x": (1.0, 0.0, 0.0),
    "y": (0.0, 1.0, 0.0),
    "z": (0.0, 0.0, 1.0),
}


@final
@dataclass(frozen=True)
class Cone:
    """Rotations about the origin by at most `angle`.

    Under them, a direction sweeps a cone of this half-angle around it. If the axis is fixed, a
    direction perpendicular to it sweeps a sector of this half-angle.

    Attributes:
        angle: largest angle covered, in radians, from 0 to pi.
        whole: whether every rotation is covered.
        axis: the only rotation axis, or None for any axis.

    Raises:
        ParameterError: the angle is not in [0, pi].
    """

    angle: float
    whole: bool
    axis: Vector | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.angle <= math.pi * (1 + 1e-9):
            raise ParameterError(
                f"expected the angle of a rotation, 0 to pi in radians, got {self.angle}; pass "
                "the certified radius."
            )

    @property
    def degrees(self) -> str:
        """Angle as text, rounded down."""
        return "180°" if self.whole else f"{round_down(math.degrees(self.angle))}°"

    def describe(self) -> str:
        """Return a phrase that names the rotations."""
        about = "any axis"
        if self.axis is not None:
            numbers = ", ".join(f"{value:.3g}" for value in self.axis)
            named = {vector: f"the {name} axis" for name, vector in AXES.items()}
            about = named.get(self.axis, f"the axis ({numbers})")
        some = "every rotation" if self.whole else f"rotations by at most {self.degrees}"
        return f"{some} about {about}"


SWEPT: Final = (32, 108, 150)  # edge of the covered region

_GREY: Final = (176, 180, 186)
_OVER: Final = 3  # supersampling factor
_REACH: Final = 0.40  # length of the cone, as a share of the side of its drawing
_SHAPE: Final = 0.30  # half the extent of the shape, as a share of that side
_OPEN: Final = 0.2  # ratio of the axes of the ellipse at the end of the cone
_SIDE: Final = (0.0, 0.0)  # azimuth, elevation of the camera


def draw_rotation_diagram(cone: Cone, cloud: PointCloud, size: tuple[int, int]) -> ByteArray:
    """Draw the shape with the cone swept by an upright and, below, by a horizontal direction.

    For a fixed axis: the swept sector, seen along the axis, and below it the axis.

    Args:
        cone: the covered rotations.
        cloud: the shape, drawn in grey.
        size: (height, width) of the panel in pixels.

    Returns:
        uint8 [*size, 3]. Angles in the drawing are the covered angles.
    """
    from PIL import Image, ImageDraw

    height, width = size
    panel = Image.new("RGB", (width, height), GROUND)
    pen = ImageDraw.Draw(panel)
    font = load_font(12)
    lines = wrap_text(cone.describe(), font, width - 16)
    foot = height - 16 * len(lines) - 8
    for i, line in enumerate(lines):
        pen.text((width / 2, foot + 16 * i), line, INK, font, anchor="ma")
    side = Viewpoint.around(*_SIDE)
    if cone.axis is None:
        views = {"from the side": side, "from above": Viewpoint.along(UP, -side.frame[2])}
    else:
        along, beside = Viewpoint.along(cone.axis), Viewpoint.around(-52, 20)
        views = {"along the axis": along, "the axis": beside}
    surface, high = Surface.of(cloud), foot // 2
    for i, (words, viewpoint) in enumerate(views.items()):
        drawing = _draw_view(cone, surface, viewpoint, (high, width), swept=words != "the axis")
        panel.paste(drawing, (0, i * high))
        pen.text((8, i * high + 6), words, FAINT, font)
    pen.line((0, high, width, high), LINE)
    pen.line((0, foot - 5, width, foot - 5), LINE)
    return np.asarray(panel)


def _draw_view(
    cone: Cone, surface: Surface, viewpoint: Viewpoint, size: tuple[int, int], *, swept: bool
) -> Image.Image:
    """Draw the shape from one side with the swept region, or with the axis alone."""
    from PIL import Image, ImageDraw

    high, wide = size
    side = min(high - 34, wide)
    x, y = wide / 2, 24 + (high - 24) / 2
    extent = float(np.linalg.norm(surface.points, axis=1).max())
    scale = FINE * _SHAPE * side / (extent or 1.0)
    window = Window(0.0, (y - high / 2) * FINE / scale, scale, high * FINE, wide * FINE)
    grey = np.full((len(surface.points), 3), _GREY, np.float32)
    rendering = Rendering.of(surface, viewpoint, window)
    drawing = Image.fromarray(rendering.paint(grey, GROUND))
    if swept and not cone.whole:
        drawing = _overlay_turned(drawing, cone.angle, (x, y))
    over = Image.new("RGBA", (wide * _OVER, high * _OVER), (*SWEPT, 0))
    pen = ImageDraw.Draw(over)
    centre, reach = np.array([x, y]) * _OVER, _REACH * side * _OVER
    if swept:
        _draw_sweep(pen, cone, centre, reach)
    elif cone.axis is not None:
        across, above, _ = viewpoint.project(np.array([cone.axis]))[0] / np.linalg.norm(cone.axis)
        tip = centre + 1.1 * reach * np.array([across, -above])
        pen.line((*(2 * centre - tip), *tip), (*SWEPT, 255), 2 * _OVER)
        _draw_arrow(pen, centre, tip, (*SWEPT, 255))
    small = over.resize((wide, high), Image.Resampling.BOX)
    drawing.paste(small, (0, 0), small)
    if swept:
        place, font = (x, y - _REACH * side - 5), load_font(15, bold=True)
        ImageDraw.Draw(drawing).text(place, f"R = {cone.degrees}", INK, font, anchor="mb")
    return drawing


def _overlay_turned(shape: Image.Image, angle: float, centre: tuple[float, float]) -> Image.Image:
    """Draw the shape in front of faint copies rotated by the angle to the left and to the right."""
    from PIL import Image, ImageChops

    both, ground = shape, Image.new("RGB", shape.size, GROUND)
    for degrees in (math.degrees(angle), -math.degrees(angle)):
        turned = shape.rotate(degrees, Image.Resampling.BICUBIC, center=centre, fillcolor=GROUND)
        both = ImageChops.darker(both, Image.blend(ground, turned, 0.35))
    return both


def _draw_sweep(pen: ImageDraw.ImageDraw, cone: Cone, centre: Vectors, reach: float) -> None:
    """Draw the region swept by the upright direction of the drawing, `_OVER` times larger."""
    x, y = centre
    line, fill, edge = 2 * _OVER, (*SWEPT, 90), (*SWEPT, 255)

    def box(wide: float, high: float) -> tuple[float, float, float, float]:
        return x - wide, y - high, x + wide, y + high

    circle = box(reach, reach)
    pen.ellipse(circle, outline=(*LINE, 255), width=_OVER)
    if cone.whole:
        pen.ellipse(circle, fill, edge, line)
        if cone.axis is None:
            pen.ellipse(box(reach, _OPEN * reach), outline=edge, width=_OVER)
    else:
        # Pillow measures angles clockwise from the right.
        turned = math.degrees(cone.angle)
        pen.pieslice(circle, -90 - turned, -90 + turned, fill, edge, line)
        if cone.axis is None:
            wide, level = reach * math.sin(cone.angle), reach * math.cos(cone.angle)
            left, top, right, bottom = box(wide, _OPEN * wide)
            pen.ellipse((left, top - level, right, bottom - level), (*SWEPT, 60), edge, _OVER)
    _draw_arrow(pen, centre, centre - (0, reach), (*INK, 255))
    if cone.axis is not None:
        for radius, colour in ((5, edge), (3, (*GROUND, 255)), (1.5, edge)):
            pen.ellipse(box(radius * _OVER, radius * _OVER), colour)


def _draw_arrow(
    pen: ImageDraw.ImageDraw,
    foot: Vectors,
    tip: Vectors,
    colour: tuple[int, int, int, int],
) -> None:
    along = tip - foot
    long = float(np.linalg.norm(along))
    if long < 1:
        return
    along = along / long * 8 * _OVER
    across = np.array([-along[1], along[0]]) * 0.4
    back = tip - along
    pen.line((*foot, *back), colour, round(1.5 * _OVER))
    pen.polygon([tuple(tip), tuple(back + across), tuple(back - across)], colour)
