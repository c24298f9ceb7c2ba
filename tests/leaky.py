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
    steps = [
        ("Conv", "image w b", "own", {}),
        ("Slice", "own zero one zero", "first", {}),
        ("ReduceMean", "image", "mean", {"axes": [1, 2, 3], "keepdims": 1}),
        ("Less", "mean level", "is_dark", {}),
        ("Where", "is_dark first own", "scores", {}),
    ]
    return graphs.model(
        [graphs.node(kind, ins, out, **more) for kind, ins, out, more in steps],
        inputs={"image": ["batch", 3, "height", "width"]},
        outputs={"scores": ["batch", 2, "height", "width"]},
        constants={
            "w": weight,
            "b": np.array([0, -4], np.float32),
            "zero": np.array([0]),
            "one": np.array([1]),
            "level": np.full((1, 1, 1, 1), 0.35, np.float32),
        },
        contract=graphs.UNIT_RANGE,
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
