"""The compiled kernels, launched on the arrays of a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, final

import numpy as np

from onnxcert._typing import Array
from onnxcert.sampling.kernels.grid import grid_step
from onnxcert.sampling.kernels.interface import Channels, Key, Scores

OPTIONS: Final = ("-std=c++17",)  # of the compiler
BLOCK: Final = 256  # threads per block
THREADS: Final = 2**21  # fills any device several times over
LARGEST: Final = (2**31 - 1, 2**16 - 1, 2**16 - 1)  # grid limits; kernels loop beyond them
FLOATS: Final = (np.float32, np.float16)
NOWHERE: Final = np.uint64(0)  # a null pointer


@final
@dataclass(frozen=True)
class Compiled:
    """The kernels on a device; see `onnxcert.sampling.kernels.Kernels`.

    They start asynchronously on the library's current stream.

    Args:
        module: the compiled `source()`, such as CuPy's RawModule; `get_function` gives a kernel.
    """

    module: Any

    def noise(
        self,
        x: Array,
        sigma: float,
        key: Key,
        first: int,
        out: Array,
        channels: Channels | None = None,
    ) -> None:
        order, affine = (channels.order, channels.affine) if channels else (None, None)
        count = x.shape[0] if order is None else len(order)
        if order is not None:
            _check(order, (count,), np.int32)
        if affine is not None:
            _check(affine, (2, count), np.float32)
        _check(x, x.shape, np.float32)
        if out.shape != (len(out), count, *x.shape[1:]) or out.dtype not in FLOATS:
            raise ValueError(f"out {out.dtype} {out.shape} does not fit x {x.shape}.")
        if out.size == 0:
            return
        draw_step, *steps = (s // out.itemsize for s in out.strides)
        rows, cells, channel_step = 1, x.size, 0
        cell_step = _step(out.shape[1:], steps)
        if channels is not None or cell_step is None:
            rows, cells = out.shape[1], x.size // x.shape[0]
            channel_step, cell_step = steps[0], _step(out.shape[2:], steps[1:])
        if cell_step is None:
            raise ValueError(f"cells must be equally spaced, got the strides {out.strides}.")
        side_by_side = (rows, channel_step, cell_step) == (3, 1, 3) and cells % 4 == 0
        shared = (np.int64(cells), order, affine, out, np.int64(draw_step))
        step = grid_step(sigma)
        grid = (np.float64(sigma / step if step else 0.0), np.float64(step))
        source = (x, *grid, *map(np.uint32, key), np.uint64(first))
        draws = np.int64(len(out))
        across = math.ceil(cells / (4 * BLOCK))
        down = 1 if side_by_side else rows
        deep = min(len(out), math.ceil(THREADS / (across * down * BLOCK)))
        if side_by_side:
            name, arguments = f"noise_interleaved_{out.dtype}", (draws, *shared)
        else:
            steps = [np.int64(channel_step), np.int64(cell_step)]
            name, arguments = f"noise_{out.dtype}", (draws, np.int64(rows), *shared, *steps)
        self._launch(name, (across, down, deep), (*source, *arguments))

    def labels(self, scores: Scores, out: Array) -> None:
        self._count("labels", scores, _counter(out, (len(scores.values), *scores.grid)))

    def select(self, scores: Scores, votes: Array, invalid: Array) -> None:
        counters = _counter(votes, (scores.classes, *scores.grid))
        self._count("select", scores, (*counters, _check(invalid, (1,), np.uint64)))

    def match(
        self, scores: Scores, candidate: Array, hits: Array, missed: Array, invalid: Array
    ) -> None:
        counters = (*_counter(candidate, scores.grid), *_counter(hits, scores.grid))
        flags = _check(missed, (len(scores.values),), np.uint8)
        self._count("match", scores, (*counters, flags, _check(invalid, (1,), np.uint64)))

    def _count(self, what: str, scores: Scores, counters: tuple[Any, ...]) -> None:
        values = scores.values
        if values.dtype not in FLOATS:
            raise ValueError(f"scores must be float32 or float16, got {values.dtype}.")
        if values.size == 0:
            return
        # Points count as an image of one row, a classifier's output as an image of one pixel.
        missing = 4 - values.ndim
        steps = [s // values.itemsize for s in values.strides]
        sizes = (
            *(*values.shape[:2], *missing * (1,), *values.shape[2:]),
            *(*steps[:2], *missing * (0,), *steps[2:]),
            *(*(2 - len(scores.grid)) * (1,), *scores.grid),
        )
        above = scores.threshold is not None
        how = (np.int32(above), np.float32(scores.threshold if above else 0.0))
        kind = f"interpolated_{values.dtype}" if scores.interpolated else str(values.dtype)
        grid = (math.ceil(math.prod(scores.grid) / BLOCK), 1, 1)
        arguments = (values, *map(np.int64, sizes), *how, *counters)
        self._launch(f"{what}_{kind}", grid, arguments)

    def _launch(self, name: str, grid: tuple[int, int, int], arguments: tuple[Any, ...]) -> None:
        kernel = self.module.get_function(name)
        limited = tuple(min(n, most) for n, most in zip(grid, LARGEST, strict=True))
        kernel(limited, (BLOCK, 1, 1), tuple(NOWHERE if a is None else a for a in arguments))


def _step(shape: tuple[int, ...], steps: list[int]) -> int | None:
    """Return the distance between elements of these axes if it is constant, else None."""
    step, size = 0, 1
    for n, s in zip(reversed(shape), reversed(steps), strict=True):
        if n > 1:
            if size > 1 and s != step * size:
                return None
            step, size = step or s, size * n
    return step or 1


def _check(array: Array, shape: tuple[int, ...], *dtypes: Any) -> Array:
    """Return `array` if it is contiguous and has the type and shape that a kernel expects.

    Raises:
        ValueError: otherwise; a kernel would read or write out of bounds.
    """
    if not (array.shape == shape and array.dtype in dtypes and array.flags.c_contiguous):
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise ValueError(
            f"expected contiguous {names} {list(shape)}, got {array.dtype} {list(array.shape)}."
        )
    return array


def _counter(array: Array, shape: tuple[int, ...]) -> tuple[Array, np.int32]:
    """Return an array of unsigned integers, and its bytes per element."""
    return _check(array, shape, np.uint8, np.uint16, np.uint32), np.int32(array.itemsize)


def source() -> str:
    """Return the CUDA C++ source, without headers; every kernel has a C name.

    Compile it with `OPTIONS` and without options that loosen arithmetic, such as `--use_fast_math`:
    the results must follow IEEE 754.
    """
    folder = files("onnxcert.sampling.kernels")
    names = ("half.cu", "noise.cu", "votes.cu")
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
