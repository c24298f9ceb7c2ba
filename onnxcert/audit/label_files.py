"""Comparison of label files with the record that they were written from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Final

import numpy as np

from onnxcert.errors import refuse_machine_failure
from onnxcert.report.export.files import label_files
from onnxcert.results import Record

# The largest label file that is read: bytes per label, plus a constant number of bytes.
_BYTES_PER_LABEL: Final = 8
_EXTRA: Final = 2**20


def compare_label_files(folder: Path, record: Record) -> Iterator[str]:
    """Compare the files `labels/NAME.*` with those that `record` would give now.

    Raises:
        AccessError: the operating system cannot read a file.
    """
    names = record.provenance.contract.get("class_names", ())
    limit = _BYTES_PER_LABEL * prod(record.labels.shape) + _EXTRA
    for relative, expected_bytes in label_files(record, names):
        path, name = folder / relative, relative.as_posix()
        try:
            if not path.is_file():
                yield f"{name} is missing"
                continue
            if path.stat().st_size > limit:
                yield f"{name} is damaged"
                continue
            found = path.read_bytes()
        except (OSError, MemoryError) as error:
            refuse_machine_failure(path, error)
            yield f"{name} is damaged"
            continue
        if found != expected_bytes:
            yield from _describe_difference(path, found, expected_bytes, name)


def _describe_difference(
    path: Path, found: bytes, expected_bytes: bytes, name: str
) -> Iterator[str]:
    """Describe how two label files differ; yield nothing if only their compression does."""
    try:
        labels, colours = _decode(found, path.suffix)
    except Exception as error:  # decoders raise many types on invalid bytes
        refuse_machine_failure(path, error)
        yield f"{name} is damaged"
        return
    expected, expected_colours = _decode(expected_bytes, path.suffix)
    if labels.shape != expected.shape or labels.dtype != expected.dtype:
        yield f"{name} holds {labels.dtype} of shape {labels.shape}, not the certified labels"
    elif changed := int(np.count_nonzero(labels != expected)):
        yield f"{changed} of {labels.size} labels in {name} are not the certified ones"
    elif not np.array_equal(colours, expected_colours):
        yield f"{name} has other class colours"


def _decode(content: bytes, suffix: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the stored labels and their colours."""
    if suffix == ".npy":
        labels = np.load(BytesIO(content), allow_pickle=False)
        return labels, np.empty(0)
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about large images
        with Image.open(BytesIO(content), formats=("PNG",)) as image:
            return np.asarray(image), np.asarray(image.convert("RGB"))
