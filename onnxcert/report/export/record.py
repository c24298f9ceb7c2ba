"""Figures of a record: their paths, titles and maps, the same for images and point clouds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import IntArray
from onnxcert.report.figures import palette
from onnxcert.report.figures.axes import resize_nearest
from onnxcert.report.figures.maps import Maps, RadiusMap
from onnxcert.results import Record

RADIANS: Final = "radians"  # unit of a radius that is a rotation angle
NO: Final = (208, 210, 214)  # colour of "no" for a single label


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


def figure_colours(
    names: Sequence[str],
    index: int | slice,
    own: Sequence[int] = (),
    no: palette.Colour = NO,
) -> npt.NDArray[np.uint8]:
    """Return the colours of the classes; for a single label, "no" has the colour `no`."""
    if not isinstance(index, int):
        return palette.part_colours(names, own)
    colours = palette.colours(names)
    colours[0] = no
    return colours


def figure_maps(
    record: Record,
    title: str,
    class_names: Sequence[str],
    truth: IntArray | None,
    ignore_label: int | None,
    *,
    grid: tuple[int, ...],
    own: Sequence[int] = (),
    no: palette.Colour = NO,
) -> Iterator[tuple[Path, str, Maps]]:
    """Yield (path in the results folder, title, maps) of each figure of a record.

    Args:
        record: the record of an image or a cloud, with labels by component.
        title: title of a record that has one figure.
        class_names: names by class index.
        truth: ground truth, for multi-label records perhaps by label; None if unknown.
        ignore_label: ground-truth value of unlabelled components, or None.
        grid: shape of the input: (height, width) of an image, to which its maps are resized, or
            the number of points.
        own: classes of the category of a cloud.
        no: colour of "no" for a single label.
    """

    def fit(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array if len(grid) == 1 else resize_nearest(array, grid)

    arrays = (record.clean, record.labels, record.tally.hits)
    clean, certified, hits = (np.asarray(array[...]) for array in arrays)
    many = certified.ndim > len(grid)
    # Radius by level: level 0 is abstention.
    radii = np.append(np.nan, np.asarray(record.radii[...], np.float64))
    levels = np.asarray(record.level[...])
    for path, names, index in figure_paths("pictures", record.name, class_names, many=many):
        by_label = many and truth is not None and truth.ndim == certified.ndim
        yield (
            path,
            f"{title}: {path.stem}" if many else title,
            Maps(
                truth=truth[index] if truth is not None and by_label else truth,
                clean=fit(clean[index]),
                certified=fit(certified[index]),
                hit_rate=fit(hits[index]) / record.tally.n,
                class_names=names,
                colours=figure_colours(names, index, own, no),
                ignore_label=ignore_label,
                tau=record.decision.tau,
                radii=_radius_map(record, fit(radii[levels[index]])) if len(radii) > 2 else None,
            ),
        )


def _radius_map(record: Record, radius: npt.NDArray[np.float64]) -> RadiusMap:
    largest, requested = float(record.radii[-1]), sorted(record.decision.radius)
    unit = record.tally.draws.perturbation.unit or record.tally.unit
    if unit != RADIANS:
        return RadiusMap(radius, largest, tuple(requested), unit)
    return RadiusMap(
        np.degrees(radius), math.degrees(largest), tuple(map(math.degrees, requested)), "degrees"
    )
