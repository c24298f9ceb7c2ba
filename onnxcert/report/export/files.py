"""Exported files of one image record: label files and figures.

A multi-label record has one PNG for each label, in a folder with the input's name. The labels of a
classifier are a PNG of one row: its class, or yes (1) and no (0) for each label. For point clouds
see `onnxcert.report.export.points`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.files.atomic import sync_together, write_atomically
from onnxcert.files.inside import make_parents_inside
from onnxcert.model.contract.modality import Modality
from onnxcert.report.export.record import figure_colours, figure_maps, figure_paths
from onnxcert.report.figures import palette
from onnxcert.report.figures.attacked import attacked_panels
from onnxcert.report.figures.axes import ImageCanvas
from onnxcert.report.figures.classification import draw_classifier_record
from onnxcert.report.figures.figure import Panel
from onnxcert.report.figures.images import label_png
from onnxcert.report.figures.maps import write_maps
from onnxcert.results import Record


def has_figure(folder: Path, name: str) -> bool:
    """Return whether the figure of an input exists."""
    path = folder / "pictures" / name
    return path.is_dir() or path.with_name(f"{name}.png").exists()


def has_labels(folder: Path, record: Record) -> bool:
    """Return whether the label files of a record exist: `.npy`, and of an image PNG, too."""
    path = folder / "labels" / record.name
    png = _is_cloud(record) or path.is_dir() or path.with_name(f"{record.name}.png").exists()
    return png and path.with_name(f"{record.name}.npy").exists()


def _is_cloud(record: Record) -> bool:
    return bool(record.provenance.contract.get("medium") == Modality.POINTS)


def write_labels(folder: Path, record: Record, class_names: Sequence[str]) -> None:
    """Write the certified labels as index PNG (abstain 255) and `.npy` (abstain -1) to `folder`."""
    with sync_together():
        for below, content in label_files(record, class_names):
            write_atomically(
                make_parents_inside(folder, below), partial(Path.write_bytes, data=content)
            )


def label_files(record: Record, class_names: Sequence[str]) -> Iterator[tuple[Path, bytes]]:
    """Yield (path in the results folder, content) of each label file; see `write_labels`."""
    labels, folder, array = np.asarray(record.labels[...]), Path("labels"), BytesIO()
    np.save(array, labels.astype(np.int32) if _is_cloud(record) else labels)
    yield folder / f"{record.name}.npy", array.getvalue()
    if _is_cloud(record):
        return
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
    """Write the figure of an input: image, its ends, ground truth, predictions, hit rate, radii.

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
    canvas = ImageCanvas((image.shape[1], image.shape[2]))
    first = [Panel(heading or "Picture", canvas.paint_image(image))]
    first += attacked_panels(record.tally.perturbation, image, record.decision.radius[0], canvas)
    figures = figure_maps(record, record.name, class_names, truth, ignore_label, grid=canvas.grid)
    for below, title, maps in figures:
        path, caption = make_parents_inside(folder, below), record.guarantee
        write_maps(path, maps, canvas, title=title, caption=caption, first=first)
