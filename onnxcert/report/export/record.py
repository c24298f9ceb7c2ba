"""File names, colours and radii shared by the exported files and figures of a record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onnxcert._typing import LevelArray
from onnxcert.report.figures import palette
from onnxcert.results import Record


def figure_paths(
    sub: str, name: str, class_names: Sequence[str], *, many: bool
) -> Iterator[tuple[Path, Sequence[str], int | slice]]:
    """Yield (path in the results folder, class names, index into the label maps) of each PNG.

    Args:
        sub: folder of the PNGs, below the results folder.
        name: name of the record.
        class_names: names by class index.
        many: whether the record is multi-label; it then has one PNG for each label.
    """
    if not many:
        yield Path(sub, f"{name}.png"), class_names, slice(None)
        return
    for i, label in enumerate(class_names):
        safe = "".join(c if c.isalnum() or c in "-_ " else "_" for c in label)
        yield Path(sub, name, f"{i:03d}-{safe[:60]}.png"), (f"no {label}", label), i


def figure_colours(names: Sequence[str], index: int | slice) -> npt.NDArray[np.uint8]:
    """Return the colours of the classes; for a single label, "no" is grey."""
    colours = palette.colours(names)
    if isinstance(index, int):
        colours[0] = (208, 210, 214)
    return colours


def certified_radius(record: Record) -> LevelArray | None:
    """Return the largest certified radius of each component; None if there is only one radius."""
    radii = np.asarray(record.radii[...], np.float64)
    if len(radii) < 2:
        return None
    radius: LevelArray = np.concatenate([[np.nan], radii])[np.asarray(record.level[...])]
    return radius


def encode_npy(array: npt.NDArray[np.generic]) -> bytes:
    """Return the array as the bytes of a `.npy` file."""
    content = BytesIO()
    np.save(content, array)
    return content.getvalue()
