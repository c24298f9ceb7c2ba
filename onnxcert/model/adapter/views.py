"""The views of test-time augmentation: tiles, scales and mirror images.

A pass covers the whole image once, at one scale and mirrored or not, in one view or in tiles. Tiles
are laid out as a sliding window: from the top left corner, with a stride of the tile less the
overlap; the last of a row or column is moved inwards. An image smaller than a tile is one smaller
tile. Tiles of the mirrored image start at its own left side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onnxcert.model.adapter.resize import Fit, scale_size


@dataclass(frozen=True)
class SlidingWindow:
    """A sliding window over an image, at one scale; every combination of rows and columns is used.

    Attributes:
        rows: Rows of each window, in pixels of the image.
        columns: Columns of each window, in pixels of the image.
        seen: Height and width at which the network sees a window, before padding.
        mirrored: Whether windows are mirrored left to right.
    """

    rows: tuple[range, ...]
    columns: tuple[range, ...]
    seen: tuple[int, int]
    mirrored: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each window."""
        return len(self.rows[0]), len(self.columns[0])

    def coverage(self, rows: range) -> npt.NDArray[np.float32]:
        """Return how many windows cover each pixel of `rows`; [len(rows), width]."""
        width = max(window.stop for window in self.columns)
        down = _coverage(self.rows, range(rows.start, rows.stop))
        return down[:, None] * _coverage(self.columns, range(width))


def sliding_windows(fit: Fit, height: int, width: int) -> tuple[SlidingWindow, ...]:
    """Return the passes over an image of height x width: one for each scale and mirroring."""
    sizes = [scale_size(height, width, scale) for scale in sorted(fit.scales)]
    return tuple(
        _make_window(fit, height, width, size, mirrored)
        for size in sizes or [fit.resized_size(height, width)]
        for mirrored in ((False, True) if fit.flip else (False,))
    )


def _make_window(
    fit: Fit, height: int, width: int, size: tuple[int, int], mirrored: bool
) -> SlidingWindow:
    if fit.tile is None:
        return SlidingWindow((range(height),), (range(width),), size, mirrored)
    sides = zip((height, width), size, fit.tile, fit.shared, strict=True)
    (rows, seen_rows), (columns, seen_columns) = (_windows(*side) for side in sides)
    if mirrored:
        columns = tuple(range(width - c.stop, width - c.start) for c in columns)
    return SlidingWindow(rows, columns, (seen_rows, seen_columns), mirrored)


def _windows(length: int, seen: int, tile: int, shared: int) -> tuple[tuple[range, ...], int]:
    """Return the windows along one side of `length` pixels, and their length for the network.

    The network sees the whole side at the length `seen`.
    """
    window = max(1, round(tile * length / seen))
    if window >= length:
        return (range(length),), min(seen, tile)
    step = max(1, round((tile - shared) * length / seen))
    starts = [*range(0, length - window, step), length - window]
    return tuple(range(start, start + window) for start in starts), tile


def _coverage(windows: Sequence[range], positions: range) -> npt.NDArray[np.float32]:
    """Return how many of the windows contain each position."""
    at = np.arange(positions.start, positions.stop)
    held = [(window.start <= at) & (at < window.stop) for window in windows]
    count: npt.NDArray[np.float32] = np.sum(held, axis=0, dtype=np.float32)
    return count


def order_rows(passes: Sequence[SlidingWindow]) -> Iterator[tuple[int, range, int, int]]:
    """Yield the rows of windows of all passes, from top to bottom of the image.

    Yields:
        Index of the pass; its next row of windows; the first row of the image that later windows
        of this pass touch; and the first row that later windows of any pass touch.
    """
    height = passes[0].rows[-1].stop
    later = [[*(rows.start for rows in windows.rows), height] for windows in passes]
    order = sorted(
        (start, i, k) for i, starts in enumerate(later) for k, start in enumerate(starts[:-1])
    )
    for at, (_, i, k) in enumerate(order):
        untouched = order[at + 1][0] if at + 1 < len(order) else height
        yield i, passes[i].rows[k], later[i][k + 1], untouched
