"""Write scenes as image files and label maps with a palette.

From a checkout, ``python -m models.street.write_scenes`` writes the samples beside the model;
``python -m models.street.write_scenes --out held-out --count 50`` writes fifty held-out scenes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from PIL import Image

from .palette import PALETTE
from .scenes import HELD_OUT, draw_scene

# Chosen by appearance among thirty held-out scenes: morning, noon, dusk; along and across.
SAMPLES: Final = (HELD_OUT + 28, HELD_OUT + 32, HELD_OUT + 21)


def write_scenes(folder: Path, seeds: Iterable[int]) -> None:
    """Write ``images/scene-NN.png`` (RGB) and ``labels/scene-NN.png`` (index = class)."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds, 1):
        pixels, classes = draw_scene(seed)
        name = f"scene-{number:02}.png"
        Image.fromarray(pixels).save(folder / "images" / name, optimize=True)
        labels = Image.fromarray(classes)
        labels.putpalette([channel for colour in PALETTE for channel in colour])
        labels.save(folder / "labels" / name, optimize=True)


def main() -> None:
    """Parse the command line and write the scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "samples")
    parser.add_argument("--first", type=int, default=HELD_OUT + 100, help="seed of the first scene")
    parser.add_argument("--count", type=int, help="number of scenes; without it, the three samples")
    options = parser.parse_args()
    seeds = (
        SAMPLES if options.count is None else range(options.first, options.first + options.count)
    )
    write_scenes(options.out, seeds)


if __name__ == "__main__":
    main()
