"""The files of one record that other programs and people open: labels and the picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.atomic import write_atomically
from onnxcert.report import palette
from onnxcert.report.pictures import draw, write_label_png
from onnxcert.store import Record


def picture_path(folder: Path, name: str) -> Path:
    """Where the picture of an input lies."""
    return folder / "pictures" / f"{name}.png"


def write_labels(folder: Path, record: Record, class_names: Sequence[str]) -> None:
    """Certified labels as index PNG (abstain 255) and `.npy` (abstain -1), below `folder`."""
    path = folder / "labels" / f"{record.name}.png"
    path.parent.mkdir(exist_ok=True)
    labels = np.asarray(record.labels[...])
    write_label_png(path, labels, palette.colours(class_names))
    write_atomically(path.with_name(f"{record.name}.npy"), lambda p: _save(p, labels))


def draw_record(
    folder: Path,
    record: Record,
    *,
    photograph: FloatArray,
    truth: IntArray | None,
    class_names: Sequence[str],
    ignore_label: int | None,
) -> None:
    """The picture of an input: photograph, truth, clean and certified labels, hit rate."""
    path = picture_path(folder, record.name)
    path.parent.mkdir(exist_ok=True)
    draw(
        path,
        photograph=photograph,
        truth=truth,
        clean=np.asarray(record.clean[...]),
        certified=np.asarray(record.labels[...]),
        hit_rate=np.asarray(record.hits[...]) / record.n,
        class_names=class_names,
        colours=palette.colours(class_names),
        ignore_label=ignore_label,
        tau=record.decision.tau,
        caption=record.decision.statement,
        title=record.name,
    )


def _save(path: Path, labels: IntArray) -> None:
    # By way of an open file, as NumPy appends its suffix to a name that lacks it.
    with path.open("wb") as file:
        np.save(file, labels)
