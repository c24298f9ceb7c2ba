"""The label files of a folder against the record they were written from."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from onnxcert.report.files import write_labels
from onnxcert.store import Record

_LARGEST: Final = 2**20  # bytes of a file of labels, beside those of each component


def label_file_misfits(folder: Path, record: Record) -> Iterator[str]:
    """Which of `labels/NAME.*` do not show what `record` certifies.

    The files are written again elsewhere and compared, so that there is one place that knows what
    is in them.
    """
    names = record.provenance.contract.get("class_names", ())
    with tempfile.TemporaryDirectory(prefix="onnxcert-") as elsewhere:
        write_labels(Path(elsewhere), record, names)
        for written in sorted(p for p in Path(elsewhere).rglob("*") if p.is_file()):
            below = written.relative_to(elsewhere)
            found = folder / below
            if not found.is_file():
                yield f"{below.as_posix()} is missing"
            elif found.stat().st_size > _LARGEST + 64 * record.decision.components:
                yield f"{below.as_posix()} is damaged"
            elif found.read_bytes() != written.read_bytes():
                yield from _difference(found, written, below.as_posix())


def _difference(found: Path, written: Path, name: str) -> Iterator[str]:
    """What differs between two files of labels; nothing if only their packing does."""
    try:
        labels, colours = _read(found)
    except Exception:  # whatever a decoder raises on bytes that are no picture or array
        yield f"{name} is damaged"
        return
    expected, expected_colours = _read(written)
    if labels.shape != expected.shape or labels.dtype != expected.dtype:
        yield f"{name} holds {labels.dtype} of the shape {labels.shape}, not the certified labels"
    elif changed := int(np.count_nonzero(labels != expected)):
        yield f"{name} shows {changed} of {labels.size} labels that are not the certified ones"
    elif not np.array_equal(colours, expected_colours):
        yield f"{name} shows classes in other colours"


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(labels as stored, the colours they are shown in)."""
    if path.suffix == ".npy":
        labels = np.load(path, allow_pickle=False)
        return labels, np.empty(0)
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures, which ours may be
        with Image.open(path, formats=("PNG",)) as image:
            return np.asarray(image), np.asarray(image.convert("RGB"))
