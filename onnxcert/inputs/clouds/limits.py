"""Limits for one point file: a header of a few bytes can ask for terabytes."""

from __future__ import annotations

from typing import Final

from onnxcert.errors import InputError

#: Most points of one point cloud. Their coordinates and normals take 240 MB as float32.
MAX_POINTS: Final = 10_000_000
#: Most numbers of one point cloud. They take 800 MB while they are checked.
MAX_NUMBERS: Final = 100_000_000
#: Largest file that is opened.
MAX_BYTES: Final = 2**30


def check_counts(where: str, points: int, columns: int = 3) -> None:
    """Raise InputError unless there is a point, and no more points and numbers than the limits."""
    if points < 1 or columns < 1:
        raise InputError(f"{where}: expected a point cloud, but it has no points: leave it out.")
    if points > MAX_POINTS or points * columns > MAX_NUMBERS:
        raise InputError(
            f"{where}: expected at most {MAX_POINTS:,} points and {MAX_NUMBERS:,} numbers, but it "
            f"has {points:,} points of {columns:,} numbers each: split it."
        )
