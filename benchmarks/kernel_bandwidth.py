"""Bandwidth of the two GPU kernels relative to a plain copy on the device.

    python benchmarks/kernel_bandwidth.py [--require 0.7]

Alternates noise and votes with a copy of 1 GiB; each time is the median over the rounds. Counted
are the unavoidable bytes: noise reads the input once and writes every noisy copy; votes read every
score and the candidate once, and read and write the counters; a copy reads and writes. With
--require, exits with status 1 if a memory-bound kernel has a smaller share; interpolation reads
little and is compute-bound.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxcert.sampling.kernels import OPTIONS, Channels, Compiled, Scores, source, stream_key

KEY = stream_key(0, "00" * 32)
SIGMA = 0.25
COPIED = 2**30


@dataclass(frozen=True)
class Case:
    """One kernel on one shape.

    Attributes:
        name: row name in the table.
        bytes: unavoidable memory traffic.
        run: launches the kernel.
        limited_by_memory: whether the kernel is memory-bound.
    """

    name: str
    bytes: int
    run: Callable[[], object]
    limited_by_memory: bool = True


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--require", type=float, default=0.0, metavar="SHARE")
    options = parser.parse_args()
    try:
        import cupy

        name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    except Exception as error:  # CuPy, its libraries, the driver or the device may be missing
        reason = str(error).splitlines()[0]
        print(f"CuPy finds no CUDA device ({reason}); install both.", file=sys.stderr)
        return 2
    kernels = Compiled(cupy.RawModule(code=source(), options=OPTIONS))
    source_, target = (cupy.zeros(COPIED, dtype=np.uint8) for _ in range(2))
    copy = Case("copy on the device", 2 * COPIED, lambda: cupy.copyto(target, source_))
    print(f"{name}, CuPy {cupy.__version__}, median of {options.rounds}\n")
    print("| kernel | ms | GB/s | share of a copy |")
    print("|---|---|---|---|")
    slow = []
    for make in (noise_cases, votes_cases):
        for case in make(cupy, kernels):
            times = measure(cupy, (copy, case), options.rounds)
            speeds = [c.bytes / t for c, t in zip((copy, case), times, strict=True)]
            share = speeds[1] / speeds[0]
            print(f"| {case.name} | {1e3 * times[1]:.3f} | {speeds[1] / 1e9:.0f} | {share:.2f} |")
            if case.limited_by_memory and share < options.require:
                slow.append(case.name)
            cupy.get_default_memory_pool().free_all_blocks()
    print(f"\nlast copy: {speeds[0] / 1e9:.0f} GB/s")
    if slow:
        print(f"below {options.require:g} of a copy: {'; '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


def measure(cupy: Any, cases: tuple[Case, ...], rounds: int) -> list[float]:
    """Return the median seconds of each case, measured alternately."""
    times: list[list[float]] = [[] for _ in cases]
    for i in range(rounds + 3):
        for case, found in zip(cases, times, strict=True):
            start, stop = cupy.cuda.Event(), cupy.cuda.Event()
            start.record()
            case.run()
            stop.record()
            stop.synchronize()
            if i >= 3:  # the first rounds warm up
                found.append(cupy.cuda.get_elapsed_time(start, stop) / 1e3)
    return [float(np.median(found)) for found in times]


def noise_cases(cupy: Any, kernels: Compiled) -> Any:
    """Yield noise cases: plain and normalised, channels first and last, large and small images."""
    for grid, draws in (((1024, 2048), 8), ((180, 240), 64)):
        for dtype in ("float32", "float16"):
            for last in (False, True):
                for fused in (False, True):
                    if last and not fused:
                        continue  # models with channels last also take normalised values
                    yield noise_case(cupy, kernels, grid, draws, dtype, last, fused)


def noise_case(
    cupy: Any,
    kernels: Compiled,
    grid: tuple[int, int],
    draws: int,
    dtype: str,
    last: bool,
    fused: bool,
) -> Case:
    """Return the case of noise on images of three channels."""
    x = cupy.zeros((3, *grid), dtype=np.float32)
    shape = (draws, *grid, 3) if last else (draws, 3, *grid)
    buffer = cupy.empty(shape, dtype=dtype)
    out = buffer.transpose(0, 3, 1, 2) if last else buffer
    channels = Channels(None, cupy.ones((2, 3), dtype=np.float32)) if fused else None
    words = [f"noise {draws}x3x{grid[0]}x{grid[1]}", dtype, "NHWC" if last else "NCHW"]
    return Case(
        ", ".join([*words, *(["normalised"] if fused else [])]),
        buffer.nbytes + x.nbytes,
        lambda: kernels.noise(x, SIGMA, KEY, 0, out, channels),
    )


def votes_cases(cupy: Any, kernels: Compiled) -> Any:
    """Yield cases of hits of a candidate and of votes by class, for several kinds of scores."""
    large, small = (1024, 2048), (180, 240)
    shapes = [(4, 19, large, large), (64, 11, small, small), (16, 1, large, large)]
    shapes += [(8, 19, (128, 256), large), (4, 150, (512, 512), (512, 512))]
    for draws, classes, cells, grid in shapes:
        for dtype, last in (("float32", False), ("float16", False), ("float32", True)):
            if not (last and classes == 1):
                yield from votes_case(cupy, kernels, (draws, classes, *cells), grid, dtype, last)


def votes_case(
    cupy: Any,
    kernels: Compiled,
    shape: tuple[int, ...],
    grid: tuple[int, int],
    dtype: str,
    last: bool,
) -> Any:
    """Yield the cases `match` and `select` on random scores of this shape."""
    draws, classes, *cells = shape
    if last:
        memory = cupy.random.standard_normal((draws, *cells, classes), dtype=np.float32)
        values = memory.astype(dtype).transpose(0, 3, 1, 2)
    else:
        values = cupy.random.standard_normal(shape, dtype=np.float32).astype(dtype)
    scores = Scores(values, grid, 0.0 if classes == 1 else None)
    candidate, hits = (cupy.zeros(grid, dtype=np.uint8) for _ in range(2))
    votes = cupy.zeros((scores.classes, *grid), dtype=np.uint8)
    missed = cupy.zeros(draws, dtype=np.uint8)
    invalid = cupy.zeros(1, dtype=np.uint64)
    words = f"{'x'.join(map(str, shape))}, {dtype}, {'NHWC' if last else 'NCHW'}"
    words += f", to {grid[0]}x{grid[1]}" if scores.interpolated else ""
    moved, cells_ = values.nbytes, hits.nbytes
    yield Case(
        f"match {words}",
        moved + 3 * cells_,
        lambda: kernels.match(scores, candidate, hits, missed, invalid),
        not scores.interpolated,
    )
    yield Case(
        f"select {words}",
        moved + 2 * cells_ * draws,
        lambda: kernels.select(scores, votes, invalid),
        not scores.interpolated,
    )


if __name__ == "__main__":
    sys.exit(main())
