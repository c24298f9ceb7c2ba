"""Draw the samples for the model card: ``python -m models.parts.draw_samples`` from a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image

from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.report.figures.palette import part_colours
from onnxcert.report.figures.points.axes import Scene
from onnxcert.report.figures.points.rendering import FINE

from .catalogue import CATEGORIES, CLASS_NAMES, PARTS
from .shapes import make_shape
from .write_shapes import SAMPLES

WIDTH: Final = 4
SIDE: Final = 310


def main() -> None:
    """Write ``samples/samples.png``: the labelled samples, rendered as in reports."""
    rows = -(-len(SAMPLES) // WIDTH)
    figure, grid = plt.subplots(rows, WIDTH, figsize=(2.75 * WIDTH, 3.2 * rows), dpi=100)
    for axes, (name, seed) in zip(grid.ravel(), SAMPLES.items(), strict=True):
        shape = make_shape(seed)
        own = dict(CATEGORIES)[name]
        colours = part_colours(CLASS_NAMES, own)
        scene = Scene.of(PointCloud(shape.points, shape.normals))
        panel = scene.paint_labels(shape.labels.astype(np.int32), colours)
        axes.imshow(
            _pad_to_square(panel[: scene.views[0].visible.shape[0] // FINE]), interpolation="none"
        )
        axes.set_title(name, fontsize=11)
        axes.axis("off")
        marks = [
            Line2D([], [], marker="s", linestyle="", color=tuple(colours[part] / 255), label=label)
            for part, label in zip(own, PARTS[name], strict=True)
        ]
        axes.legend(
            handles=marks,
            loc="upper center",
            bbox_to_anchor=(0.5, 0.02),
            ncols=len(marks),
            frameon=False,
            fontsize=8.5,
            handletextpad=0.0,
            columnspacing=0.5,
        )
    figure.subplots_adjust(0.005, 0.06, 0.995, 0.95, 0.03, 0.18)
    path = Path(__file__).parent / "samples" / "samples.png"
    figure.savefig(path)
    with Image.open(path) as image:
        palette = image.convert("RGB").quantize(192)
    palette.save(path, optimize=True)


def _pad_to_square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pad an image with its background to a square of side `SIDE`."""
    high, wide, _ = image.shape
    square = np.empty((SIDE, SIDE, 3), np.uint8)
    square[:] = image[0, 0]
    top, left = (SIDE - high) // 2, (SIDE - wide) // 2
    square[top : top + high, left : left + wide] = image
    return square


if __name__ == "__main__":
    main()
