"""Draw the samples that are shipped beside the model: pictures, and labels with a palette.

From a checkout: ``python -m models.street.write_samples``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image

from .palette import PALETTE
from .scenes import HELD_OUT, draw_scene

# Chosen by their looks among thirty held-out scenes: morning, noon, dusk; along and across.
SEEDS: Final = (HELD_OUT + 28, HELD_OUT + 32, HELD_OUT + 21)


def write_samples(folder: Path) -> None:
    """Write ``images/scene-0N.png`` (RGB) and ``labels/scene-0N.png`` (index = class)."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS, 1):
        pixels, classes = draw_scene(seed)
        name = f"scene-{number:02}.png"
        Image.fromarray(pixels).save(folder / "images" / name, optimize=True)
        labels = Image.fromarray(classes)
        labels.putpalette([channel for colour in PALETTE for channel in colour])
        labels.save(folder / "labels" / name, optimize=True)


if __name__ == "__main__":
    write_samples(Path(__file__).parent / "samples")
