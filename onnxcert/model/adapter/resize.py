"""Resizing, padding and test-time augmentation of images.

With test-time augmentation the network sees several views: tiles, scales and mirror images. A pass
covers the whole image once, at one scale and mirrored or not, in one view or in tiles. Tiles are
laid out as a sliding window: from the top left corner, with a stride of the tile less the overlap;
the last of a row or column is moved inwards. An image smaller than a tile is one smaller tile.
Tiles of the mirrored image start at its own left side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from onnxcert.errors import ParameterError

Grid = Literal["native", "model"]

_MOST_SCALES: Final = 8


@dataclass(frozen=True)
class Fit:
    """Settings that bring an image to the network's size and scores back.

    Noise is added before these steps and R is in the unit of the original image: all steps are
    part of the function that is certified.

    With `scales`, `flip` or `tile` (test-time augmentation) the network sees several views of an
    image and their scores are averaged, see `onnxcert.model.network.averaging`.

    Args:
        scale: Factor by which the image is resized for the network.
        size: (height, width) to which every image is resized; excludes `scale`.
        pad_to: Pad the bottom and right, by repeating the last row and column, until both sides
            are multiples of this; scores of the padding are removed.
        grid: `native`: scores are resized to the image's own size before the vote, and its pixels
            are the components; `model`: the components are the cells of the model's output.
        scales: Factors for several views of the image; excludes `scale` and `size`.
        flip: Whether to add views of the mirrored image.
        tile: (height, width) of a sliding window over the resized image, in the network's pixels.
        overlap: Smallest (height, width) that neighbouring tiles share; by default a third.

    Raises:
        ParameterError: A value is out of range, or two values exclude each other.
    """

    scale: float = 1.0
    size: tuple[int, int] | None = None
    pad_to: int = 1
    grid: Grid = "native"
    scales: tuple[float, ...] = ()
    flip: bool = False
    tile: tuple[int, int] | None = None
    overlap: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for scale in (self.scale, *self.scales):
            if not 0.0 < scale <= 16.0:
                raise ParameterError(f"the scale must be above 0 and at most 16, got {scale:g}.")
        for name, sides in (("size", self.size), ("tile", self.tile)):
            if sides is not None and not all(0 < side <= 65536 for side in sides):
                raise ParameterError(
                    f"the {name} must be HEIGHTxWIDTH in pixels, each from 1 to 65536, got {sides}."
                )
        if self.size is not None and self.scale != 1.0:
            raise ParameterError("a fixed size and a scale exclude each other; give one of them.")
        if not 1 <= self.pad_to <= 4096:
            raise ParameterError(f"--pad-to must be from 1 to 4096, got {self.pad_to}.")
        if self.grid not in get_args(Grid):
            raise ParameterError(f"the grid must be native or model, got {self.grid!r}.")
        if self.grid == "model" and self.pad_to > 1:
            raise ParameterError(
                "--pad-to and --grid model exclude each other, as padding adds cells to the "
                "model's grid that belong to no pixel; use --size instead."
            )
        self._check_views()

    def _check_views(self) -> None:
        if self.scales and (self.size is not None or self.scale != 1.0):
            raise ParameterError(
                "several scales exclude one scale and a fixed size; leave out --scale, --size and "
                "--resize, or --scales."
            )
        if len(self.scales) > _MOST_SCALES or len(set(self.scales)) < len(self.scales):
            raise ParameterError(
                f"--scales takes at most {_MOST_SCALES} factors, each once, got "
                f"{_join(self.scales)}."
            )
        if self.overlap is not None and self.tile is None:
            raise ParameterError("--overlap needs tiles; pass --tile too, or leave out --overlap.")
        if self.tile is not None and not all(
            0 <= shared < side for shared, side in zip(self.shared, self.tile, strict=True)
        ):
            raise ParameterError(
                f"tiles must overlap by 0 or more pixels and less than their size, got "
                f"{_format_size(self.shared)} for tiles of {_format_size(self.tile)}."
            )
        if self.averages and self.grid == "model":
            raise ParameterError(
                "--grid model excludes --scales, --flip and --tile, as each view has other cells "
                "of the model's grid; leave it out."
            )

    @property
    def averages(self) -> bool:
        """Whether scores are averaged over several views of the image."""
        return bool(self.scales) or self.flip or self.tile is not None

    @property
    def shared(self) -> tuple[int, int]:
        """Smallest height and width that neighbouring tiles share.

        By default the stride is two thirds of a tile's side, as in published configurations for
        sliding windows.
        """
        if self.overlap is not None or self.tile is None:
            return self.overlap or (0, 0)
        height, width = (side - max(1, side * 2 // 3) for side in self.tile)
        return height, width

    @property
    def resizes(self) -> bool:
        """Whether the network may see another resolution than the image's."""
        return self.scale != 1.0 or self.size is not None or any(s != 1.0 for s in self.scales)

    def resized_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the image size after resizing by `scale` or to `size`; at least one pixel."""
        return self.size or scale_size(height, width, self.scale)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size at which the network sees an image of height x width."""
        height, width = self.resized_size(height, width)
        return -(-height // self.pad_to) * self.pad_to, -(-width // self.pad_to) * self.pad_to

    def plain(self, seen: tuple[int, int]) -> Fit:
        """Return the settings of one view, which the network sees at the size `seen`."""
        return Fit(size=seen if self.resizes else None, pad_to=self.pad_to)

    @property
    def averaged(self) -> str:
        """What scores are averaged over, as text; empty for a single view."""
        over = []
        if self.scales:
            over.append(f"the {'scales' if len(self.scales) > 1 else 'scale'} {_join(self.scales)}")
        over += ["mirror images"] if self.flip else []
        if self.tile is not None:
            over.append(
                f"tiles of {_format_size(self.tile)} that overlap by {_format_size(self.shared)}"
            )
        return f"scores averaged over {'; '.join(over)}" if over else ""

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by option name.

        Options of views are included only if used: records from before they existed stay valid.
        """
        size = None if self.size is None else _format_size(self.size)
        views: dict[str, Any] = {}
        if self.scales:
            views["scales"] = sorted(self.scales)
        if self.flip:
            views["flip"] = True
        if self.tile is not None:
            views |= {"tile": _format_size(self.tile), "overlap": _format_size(self.shared)}
        one = {"scale": self.scale, "size": size, "pad_to": self.pad_to, "grid": self.grid}
        return {**one, **views}


def scale_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Return the size of an image resized by `scale`; at least one pixel."""
    return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))


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


def _join(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(values))


def _format_size(sides: tuple[int, int]) -> str:
    return f"{sides[0]}x{sides[1]}"
