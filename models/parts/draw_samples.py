"""Draw the samples for the card: ``python -m models.parts.draw_samples`` from a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from PIL import Image

from .catalogue import CATEGORIES, PARTS
from .shapes import Shape, make_shape
from .write_shapes import SAMPLES

COLOURS: Final = ("#3b6fb6", "#e0803a", "#4a9c5b", "#b8435a")  # first to fourth part of a thing
LIGHT: Final = np.array([0.25, 0.85, 0.46])
TURN, TILT = np.radians(35), np.radians(20)  # where the camera stands: to the right and above


def draw_shape(axes: Axes, shape: Shape) -> None:
    """The points that face the camera, nearer ones over farther ones, shaded by their normals."""
    side = np.array([np.cos(TURN), 0, -np.sin(TURN)])
    ahead = np.array([np.sin(TURN) * np.cos(TILT), np.sin(TILT), np.cos(TURN) * np.cos(TILT)])
    up = np.cross(ahead, side)
    facing = np.flatnonzero(shape.normals @ ahead > 0)
    order = facing[np.argsort(shape.points[facing] @ ahead)]
    points, normals = shape.points[order], shape.normals[order]
    first = dict(CATEGORIES)[shape.category][0]
    colours = np.array([matplotlib.colors.to_rgb(c) for c in COLOURS])[shape.labels[order] - first]
    bright = 0.55 + 0.5 * np.clip(normals @ LIGHT, 0, 1)[:, None]
    x, y = points @ side, points @ up
    axes.scatter(x, y, c=np.clip(colours * bright, 0, 1), s=17, linewidths=0)
    middle = (x.max() + x.min()) / 2, (y.max() + y.min()) / 2
    reach = 0.52 * max(np.ptp(x), np.ptp(y))
    axes.set_xlim(middle[0] - reach, middle[0] + reach)
    axes.set_ylim(middle[1] - reach, middle[1] + reach)
    axes.set_aspect("equal")
    axes.axis("off")
    names = PARTS[shape.category]
    marks = [
        Line2D([], [], marker="o", linestyle="", markersize=5, color=colour, label=name)
        for colour, name in zip(COLOURS, names, strict=False)
    ]
    axes.legend(
        handles=marks,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.02),
        ncols=len(names),
        frameon=False,
        fontsize=9,
        handletextpad=0.1,
        columnspacing=0.9,
    )


def main() -> None:
    """Write ``samples/samples.png``."""
    figure, grid = plt.subplots(2, 4, figsize=(12, 6.6))
    for axes, (name, seed) in zip(grid.ravel(), SAMPLES.items(), strict=True):
        draw_shape(axes, make_shape(seed))
        axes.set_title(name, fontsize=11)
    figure.subplots_adjust(0.01, 0.06, 0.99, 0.95, 0.08, 0.24)
    path = Path(__file__).parent / "samples" / "samples.png"
    figure.savefig(path, dpi=80)
    with Image.open(path) as picture:
        palette = picture.convert("RGB").quantize(96)
    palette.save(path, optimize=True)


if __name__ == "__main__":
    main()
