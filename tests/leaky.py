"""Models that let batch mates leak for dark pictures only, and pictures of both kinds."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import onnx
from PIL import Image


def of_dark_pictures() -> onnx.ModelProto:
    """Bright pixels are class 1; of dark pictures every row gets the scores of the first row."""
    weight = np.zeros((2, 3, 1, 1), np.float32)
    weight[1] = 8 / 3
    return graphs.model(
        f"""({graphs.IMAGES} image) => (float[batch, 2, height, width] scores) {{
            own = Conv(image, w, b)
            first = Slice(own, zero, one, zero)
            mean = ReduceMean<axes = [1, 2, 3]>(image)
            is_dark = Less(mean, level)
            scores = Where(is_dark, first, own)
        }}""",
        graphs.UNIT_RANGE,
        w=weight,
        b=[0.0, -4.0],
        zero=[0],
        one=[1],
        level=0.35,
    )


def picture(*, dark: bool, seed: int) -> np.ndarray:
    """Colours [H, W, 3] in 0 .. 255, near the threshold in a stripe."""
    rng = np.random.default_rng(seed)
    pixels = np.full((8, 12, 3), 20 if dark else 235, np.uint8)
    pixels[:, 5:8] = rng.integers(110, 145, (8, 3, 3))
    return pixels


def write_pictures(folder: Path, kinds: str) -> None:
    """One picture a letter of `kinds`, `b` bright or `d` dark, called p0, p1, ..."""
    folder.mkdir(parents=True)
    for i, kind in enumerate(kinds):
        Image.fromarray(picture(dark=kind == "d", seed=i)).save(folder / f"p{i}.png")
