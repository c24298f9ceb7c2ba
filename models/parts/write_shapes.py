"""Write shapes as .npz files with points, normals, labels and category.

From a checkout, ``python -m models.parts.write_shapes`` writes the samples beside the model;
``python -m models.parts.write_shapes --out held-out --count 100`` writes a hundred held-out shapes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np

from .shapes import HELD_OUT, Shape, make_shape

# Chosen by appearance among sixty held-out shapes, before any model was measured.
SAMPLES: Final = {
    "aeroplane": HELD_OUT,
    "car": HELD_OUT + 22,
    "chair": HELD_OUT + 53,
    "guitar": HELD_OUT + 14,
    "lamp": HELD_OUT + 5,
    "mug": HELD_OUT + 46,
    "rocket": HELD_OUT + 27,
    "table": HELD_OUT + 39,
}


def write_shape(shape: Shape, path: Path) -> None:
    """Write one shape; equal shapes give equal bytes."""
    np.savez_compressed(
        path,
        points=shape.points,
        normals=shape.normals,
        labels=shape.labels,
        category=np.array(shape.category),
    )


def main() -> None:
    """Parse the command line and write the shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "samples")
    parser.add_argument("--first", type=int, default=HELD_OUT + 1000, help="first seed")
    parser.add_argument("--count", type=int, help="number of shapes; without it, the samples")
    options = parser.parse_args()
    folder = options.out / "shapes"
    folder.mkdir(parents=True, exist_ok=True)
    if options.count is None:
        for name, seed in SAMPLES.items():
            write_shape(make_shape(seed), folder / f"{name}.npz")
        return
    for number, seed in enumerate(range(options.first, options.first + options.count), 1):
        shape = make_shape(seed)
        write_shape(shape, folder / f"{number:03}-{shape.category}.npz")


if __name__ == "__main__":
    main()
