"""Exported files of one image record: label files and figures.

A multi-label record has one PNG for each label, in a folder with the input's name. The labels of a
classifier are a PNG of one row: its class, or yes (1) and no (0) for each label. For point clouds
see `onnxcert.report.export.points`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from onnxcert._typing import FloatArray, IntArray, LevelArray
from onnxcert.files.atomic import sync_together, write_atomically
from onnxcert.files.inside import make_parents_inside
from onnxcert.model.contract.modality import Modality
from onnxcert.report.export.points import cloud_label_files
from onnxcert.report.export.record import certified_radius, encode_npy, figure_colours, figure_paths
from onnxcert.report.figures import palette
from onnxcert.report.figures.axes import resize_nearest
from onnxcert.report.figures.classification import draw_classifier_record
from onnxcert.report.figures.images import RadiusMap, draw, label_png
from onnxcert.results import Record


def has_figure(folder: Path, name: str) -> bool:
    """Return whether the figure of an input exists."""
    path = folder / "pictures" / name
    return path.is_dir() or path.with_name(f"{name}.png").exists()


def has_labels(folder: Path, name: str) -> bool:
    """Return whether the label files of an input exist."""
    path = folder / "labels" / name
    image = path.is_dir() or path.with_name(f"{name}.png").exists()
    return image and path.with_name(f"{name}.npy").exists()


def write_labels(folder: Path, record: Record, class_names: Sequence[str]) -> None:
    """Write the certified labels as index PNG (abstain 255) and `.npy` (abstain -1) to `folder`."""
    with sync_together():
        for below, content in label_files(record, class_names):
            write_atomically(
                make_parents_inside(folder, below), partial(Path.write_bytes, data=content)
            )


def label_files(record: Record, class_names: Sequence[str]) -> Iterator[tuple[Path, bytes]]:
    """Yield (path in the results folder, content) of each label file; see `write_labels`."""
    if record.provenance.contract.get("medium") == Modality.POINTS:
        yield from cloud_label_files(record)
        return
    labels, folder = np.asarray(record.labels[...]), Path("labels")
    yield folder / f"{record.name}.npy", encode_npy(labels)
    if labels.ndim == 1:
        many = record.provenance.contract.get("output_form") == "multilabel"
        colours = palette.colours(("no", "yes") if many else class_names)
        yield folder / f"{record.name}.png", label_png(labels[None], colours)
        return
    many = labels.ndim == 3
    for below, names, index in figure_paths("labels", record.name, class_names, many=many):
        yield below, label_png(labels[index], figure_colours(names, index))


def draw_record(
    folder: Path,
    record: Record,
    *,
    image: FloatArray,
    truth: IntArray | None,
    class_names: Sequence[str],
    ignore_label: int | None,
    heading: str = "",
) -> None:
    """Write the figure of an input: image, ground truth, predictions, hit rate, radii.

    Args:
        folder: the results folder.
        record: record of the input.
        image: float32 [3, H, W], RGB in [0, 1].
        truth: ground truth, or None if unknown.
        class_names: names by class index.
        ignore_label: ground-truth value of unlabelled pixels, or None.
        heading: heading of the image panel if the image is a composite of bands; see
            `onnxcert.report.figures.images`.
    """
    if len(record.labels.shape) == 1:
        path = make_parents_inside(folder, Path("pictures", f"{record.name}.png"))
        draw_classifier_record(
            path,
            record,
            image=image,
            truth=truth,
            class_names=class_names,
            heading=heading,
        )
        return
    size = (image.shape[1], image.shape[2])
    maps = [np.asarray(a[...]) for a in (record.clean, record.labels, record.tally.hits)]
    radius, many = certified_radius(record), len(record.labels.shape) == 3
    for below, names, index in figure_paths("pictures", record.name, class_names, many=many):
        clean, certified, hits = (resize_nearest(array[index], size) for array in maps)
        draw(
            make_parents_inside(folder, below),
            image=image,
            heading=heading or "Picture",
            truth=truth,
            clean=clean,
            certified=certified,
            hit_rate=hits / record.tally.n,
            class_names=names,
            colours=figure_colours(names, index),
            ignore_label=ignore_label,
            tau=record.decision.tau,
            caption=record.decision.statement,
            title=record.name if below.stem == record.name else f"{record.name}: {below.stem}",
            radii=None
            if radius is None
            else _radius_map(record, resize_nearest(radius[index], size)),
        )


def _radius_map(record: Record, radius: LevelArray) -> RadiusMap:
    largest = float(record.radii[-1])
    unit = record.tally.draws.perturbation.unit or record.tally.unit
    return RadiusMap(radius, largest, tuple(sorted(record.decision.radius)), unit)
