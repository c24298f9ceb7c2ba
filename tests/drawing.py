"""Pictures for tests, drawn and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_picture(path: Path, *, seed: int, height: int = 12, width: int = 16) -> None:
    """Dark on the left, bright on the right, and anything in a stripe between."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 10, np.uint8)
    pixels[:, width // 2 :] = 245
    stripe = slice(3 * width // 8, 5 * width // 8)
    pixels[:, stripe] = rng.integers(90, 165, pixels[:, stripe].shape)
    Image.fromarray(pixels).save(path)


def write_pictures(folder: Path, count: int, *, height: int = 12, width: int = 16) -> Path:
    """Make a folder of `p0.png`, `p1.png`, ..., each of its own seed."""
    folder.mkdir()
    for i in range(count):
        write_picture(folder / f"p{i}.png", seed=i, height=height, width=width)
    return folder
