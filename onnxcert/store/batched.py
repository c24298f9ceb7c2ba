"""Results whose draws shared their passes, which a leak between batch mates makes worthless."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from onnxcert.inside import inside
from onnxcert.sampling import ONE_DRAW
from onnxcert.store.record import Record


def in_batches(record: Record) -> bool:
    """Whether draws of `record` may have shared a pass."""
    if record.leak_check:
        return record.leak_check != ONE_DRAW
    # Made before anybody noted it.
    return bool(record.provenance.environment.get("batch_size") != 1)


def made_from(folder: Path, name: str) -> Iterator[Path]:
    """Label files and pictures of the input `name`, whatever their suffix, also in a folder of that
    name."""
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
