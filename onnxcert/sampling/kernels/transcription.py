"""`noise.cu` and `votes.cu` in the array API: the same numbers, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy as np
from array_api_compat import array_namespace

from onnxcert._typing import Array
from onnxcert.sampling.kernels.grid import grid_step, split
from onnxcert.sampling.kernels.interface import Channels, Key, Scores
from onnxcert.sampling.kernels.philox import standard_normals


@final
class Transcription:
    """The kernels on the arrays of any library; see `onnxcert.sampling.kernels.Kernels`."""

    def noise(
        self,
        x: Array,
        sigma: float,
        key: Key,
        first: int,
        out: Array,
        channels: Channels | None = None,
    ) -> None:
        xp, channels = array_namespace(x), channels or Channels()
        per_channel = (-1, *(1 for _ in x.shape[1:]))
        step = grid_step(sigma)
        nearest, rest = split(x, step) if step else (x, x)
        for b in range(out.shape[0]):
            row = nearest
            if step:
                z = xp.asarray(standard_normals(key, first + b, x.size).reshape(x.shape))
                moved = xp.round(z * (float(sigma) / step) + rest)
                row = xp.astype(moved, xp.float32) * step + nearest
            if channels.order is not None:
                row = xp.take(row, channels.order, axis=0)
            if channels.affine is not None:
                factor, offset = (
                    xp.reshape(channels.affine[i, ...], per_channel) for i in range(2)
                )
                row = factor * row + offset
            out[b, ...] = xp.astype(row, out.dtype)

    def labels(self, scores: Scores, out: Array) -> None:
        xp = array_namespace(out)
        none = xp.iinfo(out.dtype).max
        for b, (label, voted) in enumerate(self._votes(scores)):
            label[~voted] = none
            out[b, ...] = xp.astype(label, out.dtype)

    def select(self, scores: Scores, votes: Array, invalid: Array) -> None:
        xp = array_namespace(votes)
        for label, voted in self._votes(scores):
            for c in range(scores.classes):
                votes[c, ...] += xp.astype((label == c) & voted, votes.dtype)
            invalid[0] += int(xp.count_nonzero(~voted))

    def match(
        self, scores: Scores, candidate: Array, hits: Array, missed: Array, invalid: Array
    ) -> None:
        xp = array_namespace(hits)
        wanted = xp.astype(candidate, xp.int64)
        for b, (label, voted) in enumerate(self._votes(scores)):
            hit = (label == wanted) & voted
            hits[...] += xp.astype(hit, hits.dtype)
            missed[b] = int(missed[b]) | int(not xp.all(hit))
            invalid[0] += int(xp.count_nonzero(~voted))

    def _votes(self, scores: Scores) -> Iterator[tuple[Array, Array]]:
        """Yield for each draw the labels, int64 [*grid], and whether each is valid."""
        cells = scores.values.shape[2:] or (1,)
        to_grid = None
        if scores.interpolated:
            to_grid = Interpolation(cells, scores.grid, array_namespace(scores.values))
        for b in range(scores.values.shape[0]):
            # Non-finite values are found afterwards and may raise warnings here.
            with np.errstate(invalid="ignore", over="ignore"):
                vote = self._vote(scores, b, cells, to_grid)
            yield vote

    def _vote(
        self, scores: Scores, b: int, cells: tuple[int, ...], to_grid: Interpolation | None
    ) -> tuple[Array, Array]:
        xp = array_namespace(scores.values)

        def score(c: int) -> Array:
            plane = xp.reshape(xp.astype(scores.values[b, c, ...], xp.float32), cells)
            return to_grid(plane) if to_grid else plane

        best = total = score(0)
        label = xp.zeros(scores.grid, dtype=xp.int64)
        for c in range(1, scores.values.shape[1]):
            other = score(c)
            total = total + other
            label = xp.where(other > best, xp.full_like(label, c), label)
            best = xp.where(other > best, other, best)
        if scores.threshold is not None:
            label = xp.astype(best > float(np.float32(scores.threshold)), xp.int64)
        return label, xp.isfinite(total)


class Interpolation:
    """Bilinear interpolation from scores to components, each operation rounded in float32.

    It is that of the ONNX operator Resize: half-pixel centres, no antialiasing, edges repeated. At
    the exact position of a score its neighbour still has the weight zero, so a neighbour that is
    not finite gives NaN.

    Args:
        source: (h, w) of the scores.
        grid: (H, W) of the components.
        xp: the array library.
    """

    def __init__(self, source: tuple[int, ...], grid: tuple[int, ...], xp: Any) -> None:
        self.xp = xp
        y, x = (_neighbours(n, m, xp) for n, m in zip(grid, source, strict=True))
        (top, bottom, below, above), (left, right, after, before) = y, x
        above, below = above[:, None], below[:, None]
        self._corners = [
            (top, left, before * above),
            (top, right, after * above),
            (bottom, left, before * below),
            (bottom, right, after * below),
        ]

    def __call__(self, plane: Array) -> Array:
        """Interpolate scores, float32 [h, w] to [H, W]."""
        take = self.xp.take
        parts = [weight * take(take(plane, y, axis=0), x, axis=1) for y, x, weight in self._corners]
        return ((parts[0] + parts[1]) + parts[2]) + parts[3]


def _neighbours(size: int, source: int, xp: Any) -> tuple[Array, Array, Array, Array]:
    """Return for each position the indices of the scores before and after it, and its distances."""
    scale = float(np.float32(size) / np.float32(source))
    at = (xp.astype(xp.arange(size), xp.float32) + 0.5) / scale - 0.5
    at = xp.clip(at, 0.0, float(source - 1))
    low = xp.astype(xp.floor(at), xp.int64)
    high = xp.where(low + 1 < source, low + 1, low)
    half = xp.full(size, 0.5, dtype=xp.float32)
    to_low = xp.where(low == high, half, at - xp.astype(low, xp.float32))
    to_high = xp.where(low == high, half, xp.astype(high, xp.float32) - at)
    return low, high, to_low, to_high
