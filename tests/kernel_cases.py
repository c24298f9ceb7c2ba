"""What the kernels are tried on, on whatever machine: the same buffers, filled by two of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np

from onnxcert.sampling.kernels import Channels, Kernels, Scores, Transcription

Array = Any
KEY = (0x243F6A88, 0x85A308D3)
Move = Callable[[Any], Any]


@dataclass(frozen=True)
class NoiseCase:
    """One call of `Kernels.noise`: shapes, where `out` lies in its buffer, and what is fused."""

    shape: tuple[int, ...]
    place: str = "whole"
    dtype: str = "float32"
    order: tuple[int, ...] | None = None
    affine: bool = False
    draws: int = 3
    first: int = 0
    shift: int = 0  # of x in its memory, in elements
    fine: bool = False  # a grid so fine that the last bits of the normals show

    def run(self, kernels: Kernels, device: Move, host: Move) -> np.ndarray[Any, Any]:
        """The whole buffer afterwards, also what lies beside `out`."""
        rng = np.random.default_rng(11)
        size = int(np.prod(self.shape))
        x = device(rng.random(size + self.shift, dtype=np.float32))[self.shift :]
        count = len(self.order or range(self.shape[0]))
        buffer, view = self._out((self.draws, count, *self.shape[1:]))
        buffer = device(np.full(buffer, -7.0, dtype=self.dtype))
        channels = None
        if self.order is not None or self.affine:
            order = None if self.order is None else device(np.array(self.order, dtype=np.int32))
            values = rng.normal(size=(2, count)).astype(np.float32)
            channels = Channels(order, device(values) if self.affine else None)
        with ExitStack() as stack:
            if self.fine:
                for module in ("compiled", "transcription"):
                    name = f"onnxcert.sampling.kernels.{module}.grid_step"
                    stack.enter_context(patch(name, lambda sigma: 2.0**-40))  # noqa: ARG005
            kernels.noise(x.reshape(self.shape), 0.3, KEY, self.first, view(buffer), channels)
        return host(buffer)

    def _out(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Callable[[Array], Array]]:
        draws, channels, *cells = shape
        match self.place:
            case "whole":
                return shape, lambda b: b
            case "slice":
                wide = (draws, channels + 2, *cells)
                return wide, lambda b: b[:, 1 : 1 + channels]
            case "last":
                return (draws, *cells, channels), lambda b: b.transpose(
                    0, len(cells) + 1, *range(1, len(cells) + 1)
                )
            case "apart":
                return (*shape, 2), lambda b: b[..., 1]
            case "unaligned":
                return (int(np.prod(shape)) + 1,), lambda b: b[1:].reshape(shape)
        raise AssertionError(self.place)


SHAPES = [(3, 8, 8), (3, 7, 5), (1, 1, 1), (5, 3, 3), (6, 33), (4, 40), (3, 90, 101), (13,)]
PLACES = ["whole", "slice", "last", "apart", "unaligned"]


def noise_cases() -> Iterator[NoiseCase]:
    for shape, place, dtype in itertools.product(SHAPES, PLACES, ("float32", "float16")):
        if len(shape) == 1 and place in ("slice", "last"):
            continue
        yield NoiseCase(shape, place, dtype)
        if len(shape) > 1:
            backwards = tuple(reversed(range(shape[0])))
            yield NoiseCase(shape, place, dtype, order=backwards, affine=True, first=5)
            yield NoiseCase(shape, place, dtype, affine=True, draws=1)
    yield NoiseCase((3, 8, 8), order=(2, 1, 0))
    yield NoiseCase((1, 9, 9), order=(0, 0, 0), affine=True)
    yield NoiseCase((4, 6, 6), "last", order=(3, 0, 2), affine=True)
    yield from (NoiseCase((3, 6, 6), first=first) for first in (2**32 - 2, 2**40 + 7, 2**63))
    yield from (NoiseCase((3, 6, 6), shift=shift) for shift in (1, 2, 3))
    yield NoiseCase((2, 5), draws=700)
    yield NoiseCase((3, 64, 64), draws=4, fine=True)


@dataclass(frozen=True)
class VotesCase:
    """One batch of scores, and how it is counted."""

    draws: int
    classes: int
    cells: tuple[int, ...]
    grid: tuple[int, ...]
    layout: str = "first"
    dtype: str = "float32"
    threshold: float | None = None
    content: str = "smooth"
    counter: str = "uint8"

    def scores(self, device: Move) -> Scores:
        rng = np.random.default_rng(3)
        shape = (self.draws, self.classes, *self.cells)
        values = rng.normal(size=shape).astype(self.dtype)
        if self.content == "ties":
            values = rng.integers(0, 2, shape).astype(self.dtype)
        if self.content == "broken":
            bad = np.array([np.nan, np.inf, -np.inf], dtype=self.dtype)
            where = rng.random(shape) < 0.02
            values[where] = rng.choice(bad, size=int(where.sum()))
            values[0, ...] = 0.0
        match self.layout:
            case "last":
                axes = (0, *range(2, values.ndim), 1)
                moved = device(np.ascontiguousarray(values.transpose(axes)))
                view = moved.transpose(0, values.ndim - 1, *range(1, values.ndim - 1))
            case "crop":
                wide = np.zeros((*shape[:2], *(n + 3 for n in self.cells)), dtype=self.dtype)
                wide[(..., *(slice(n) for n in self.cells))] = values
                view = device(wide)[(..., *(slice(n) for n in self.cells))]
            case _:
                view = device(values)
        return Scores(view, self.grid, self.threshold)

    def run(self, kernels: Kernels, device: Move, host: Move) -> dict[str, np.ndarray[Any, Any]]:
        """Everything that is counted, by name."""
        scores, rng = self.scores(device), np.random.default_rng(4)
        classes = scores.classes
        labels = device(np.full((self.draws, *self.grid), 77, dtype=self.counter))
        votes = device(rng.integers(0, 9, (classes, *self.grid)).astype(self.counter))
        hits = device(rng.integers(0, 9, self.grid).astype(self.counter))
        guess = rng.integers(0, classes, self.grid)
        if self.content == "ties":
            guess[:] = 0
        candidate = device(guess.astype("uint16"))
        missed = device(np.zeros(self.draws, dtype=np.uint8))
        invalid = [device(np.array([40], dtype=np.uint64)) for _ in range(2)]
        kernels.labels(scores, labels)
        kernels.select(scores, votes, invalid[0])
        kernels.match(scores, candidate, hits, missed, invalid[1])
        counted = {"labels": labels, "votes": votes, "hits": hits, "missed": missed}
        counted |= {"select_withheld": invalid[0], "match_withheld": invalid[1]}
        return {name: host(array) for name, array in counted.items()}


def votes_cases() -> Iterator[VotesCase]:
    contents = ("smooth", "ties", "broken")
    grids = [((6, 7), (6, 7)), ((6, 7), (24, 28)), ((5, 9), (13, 17)), ((8, 9), (5, 9))]
    for (cells, grid), layout, dtype, content in itertools.product(
        grids, ("first", "last", "crop"), ("float32", "float16"), contents
    ):
        yield VotesCase(4, 5, cells, grid, layout, dtype, content=content)
        yield VotesCase(4, 1, cells, grid, layout, dtype, threshold=0.25, content=content)
    for content, layout in itertools.product(contents, ("first", "last")):
        yield VotesCase(3, 7, (301,), (301,), layout, content=content)
        yield VotesCase(6, 10, (), (1,), content=content)
    for counter in ("uint8", "uint16", "uint32"):
        yield VotesCase(2, 3, (20, 20), (20, 20), content="broken", counter=counter)
    yield VotesCase(2, 300, (3, 3), (7, 8), counter="uint16")
    yield VotesCase(2, 19, (40, 70), (160, 280))
    yield VotesCase(1, 1, (1, 1), (4, 3), threshold=0.0)
    yield VotesCase(4, 1, (6, 7), (6, 7), threshold=0.0, content="ties")
    for draws in (7, 8, 9, 19):
        yield VotesCase(draws, 1, (9, 9), (9, 9), threshold=0.1, content="broken")
    yield VotesCase(3, 4, (1, 9), (6, 5), content="broken")


def here(array: Any) -> Any:
    """Leave an array where it is."""
    return array


@dataclass(frozen=True)
class Carrier:
    """Kernels, and how arrays come to the machine that runs them and back."""

    kernels: Kernels
    device: Move = here
    host: Move = here

    def noise_agrees(self, case: NoiseCase) -> bool:
        """Whether the whole buffer is that of the transcription on NumPy, bit for bit."""
        found = case.run(self.kernels, self.device, self.host)
        return same_bits(found, _expected_noise(case))

    def votes_agree(self, case: VotesCase) -> bool:
        """Whether all counts are those of the transcription on NumPy."""
        found, expected = case.run(self.kernels, self.device, self.host), _expected_votes(case)
        return all(same_bits(found[name], expected[name]) for name in expected)


@cache
def _expected_noise(case: NoiseCase) -> np.ndarray[Any, Any]:
    expected = case.run(Transcription(), here, here)
    assert (expected != -7).any()
    return expected


@cache
def _expected_votes(case: VotesCase) -> dict[str, np.ndarray[Any, Any]]:
    return case.run(Transcription(), here, here)


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Equal in type, shape and every bit."""
    whole = f"u{a.itemsize}"
    return (
        a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a.view(whole), b.view(whole))
    )
