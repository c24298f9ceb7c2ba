"""Results counted in batches, which are invalid if the model is not batch-invariant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from onnxcert.files.inside import inside
from onnxcert.results.record import Record
from onnxcert.sampling import ONE_DRAW


def is_batched(record: Record) -> bool:
    """Return whether draws of `record` may have shared a forward pass."""
    if record.leak_check:
        return record.leak_check != ONE_DRAW
    # Earlier versions did not store the check.
    return bool(record.provenance.environment.get("batch_size") != 1)


def find_derived_files(folder: Path, name: str) -> Iterator[Path]:
    """Yield the label files and figures of the input `name`, also those in a folder `name`."""
    for sub in ("labels", "pictures"):
        sheets = inside(folder, sub, name)
        if sheets.is_dir():
            for sheet in sorted(sheets.iterdir()):
                path = inside(folder, sub, name, sheet.name)
                if path.is_file():
                    yield path
        for suffix in (".npy", ".png", ".ply"):
            path = inside(folder, sub, f"{name}{suffix}")
            if path.is_file():
                yield path
