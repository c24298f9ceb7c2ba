"""Which parts of a picture the network sees, at which size: tiles, scales, mirror images.

A *sweep* goes once over the whole picture, at one scale and mirrored or not, in one view or in
tiles. Tiles are laid as the field's sliding windows are: from the top left corner on, by the tile
less the overlap, and the last of a row or column is moved inwards; a picture smaller than a tile
is one smaller tile. The mirror image is laid out in the same way, and so from its own left side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onnxcert.model.pictures.fit import Fit, scaled


@dataclass(frozen=True)
class Sweep:
    """Windows that cover a picture, each seen by the network at the same size.

    Attributes:
        rows, columns: windows of the picture along each side, in its own pixels; every one of
            `rows` goes with every one of `columns`.
        seen: height and width at which the network sees each, before padding.
        mirrored: whether left and right change places.
    """

    rows: tuple[range, ...]
    columns: tuple[range, ...]
    seen: tuple[int, int]
    mirrored: bool

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of each window."""
        return len(self.rows[0]), len(self.columns[0])

    def covered(self, rows: range) -> npt.NDArray[np.float32]:
        """How many windows cover each pixel of `rows`; [len(rows), width]."""
        width = max(window.stop for window in self.columns)
        down = _covered(self.rows, range(rows.start, rows.stop))
        return down[:, None] * _covered(self.columns, range(width))


def sweeps(fit: Fit, height: int, width: int) -> tuple[Sweep, ...]:
    """Every way in which the network goes over a picture of height x width."""
    sizes = [scaled(height, width, scale) for scale in sorted(fit.scales)]
    return tuple(
        _sweep(fit, height, width, size, mirrored)
        for size in sizes or [fit.resized(height, width)]
        for mirrored in ((False, True) if fit.flip else (False,))
    )


def _sweep(fit: Fit, height: int, width: int, size: tuple[int, int], mirrored: bool) -> Sweep:
    if fit.tile is None:
        return Sweep((range(height),), (range(width),), size, mirrored)
    sides = zip((height, width), size, fit.tile, fit.shared, strict=True)
    (rows, seen_rows), (columns, seen_columns) = (_windows(*side) for side in sides)
    if mirrored:
        columns = tuple(range(width - c.stop, width - c.start) for c in columns)
    return Sweep(rows, columns, (seen_rows, seen_columns), mirrored)


def _windows(length: int, seen: int, tile: int, shared: int) -> tuple[tuple[range, ...], int]:
    """Windows along one side of `length` pixels that the network sees as `seen`, and how many
    pixels it sees of each."""
    window = max(1, round(tile * length / seen))
    if window >= length:
        return (range(length),), min(seen, tile)
    step = max(1, round((tile - shared) * length / seen))
    starts = [*range(0, length - window, step), length - window]
    return tuple(range(start, start + window) for start in starts), tile


def _covered(windows: Sequence[range], positions: range) -> npt.NDArray[np.float32]:
    """How many of the windows hold each position."""
    at = np.arange(positions.start, positions.stop)
    held = [(window.start <= at) & (at < window.stop) for window in windows]
    count: npt.NDArray[np.float32] = np.sum(held, axis=0, dtype=np.float32)
    return count


def in_order(ways: Sequence[Sweep]) -> Iterator[tuple[int, range, int, int]]:
    """Rows of windows of all sweeps, from the top to the bottom of the picture.

    Yields:
        Number of the sweep; its next row of windows; the first row of the picture that later
        windows of this sweep still touch; and the first one that those of any sweep do.
    """
    height = ways[0].rows[-1].stop
    later = [[*(rows.start for rows in way.rows), height] for way in ways]
    order = sorted((start, i, k) for i, way in enumerate(later) for k, start in enumerate(way[:-1]))
    for at, (_, i, k) in enumerate(order):
        untouched = order[at + 1][0] if at + 1 < len(order) else height
        yield i, ways[i].rows[k], later[i][k + 1], untouched
