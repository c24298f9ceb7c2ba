"""Where noise is drawn and votes are counted: NumPy on the CPU, CuPy on a GPU.

A backend is passed explicitly; there is no global one. It is the only file that imports CuPy.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, final

import numpy as np

from onnxcert import counters
from onnxcert._typing import Array, IntArray, Noise
from onnxcert.noise import SFC64, NumpyNoise, stream


class Backend(Protocol):
    """One way to draw and to count. Arrays that it makes are its own; only `host` gives NumPy's."""

    @property
    def name(self) -> str:
        """`numpy`, or `cupy`."""
        ...

    @property
    def generator(self) -> str:
        """Name of its random generator; tallies of two generators are never merged."""
        ...

    @property
    def xp(self) -> Any:
        """Its array library, by the array API standard."""
        ...

    @property
    def threaded(self) -> bool:
        """Whether noise can be drawn in a thread while a model runs."""
        ...

    def noise(self, seed: int, digest: str, indices: range) -> Noise:
        """The noise of the draws `indices` of the input with this digest."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array, C-contiguous, with anything in it."""
        ...

    def device(self, array: Any) -> Array:
        """`array`, NumPy's or its own, as its own."""
        ...

    def host(self, array: Any) -> Any:
        """`array`, NumPy's or its own, as NumPy's; no copy where it is."""
        ...

    def labels(self, answer: Any) -> Array:
        """The labels [b, *grid] of a model's answer."""
        ...

    def select(self, answer: Any, votes: Array) -> Any:
        """Add the votes for each class to `votes` [classes, *grid]; how many were withheld."""
        ...

    def match(self, answer: Any, candidate: Array, hits: Array, classes: int) -> tuple[Any, Any]:
        """Add the votes for the candidate to `hits` [*grid].

        Returns:
            In how many draws every component voted for its candidate, and how many votes were
            withheld: integers, or arrays without axes, so that nothing need wait for them.
        """
        ...


@final
class NumpyBackend:
    """Arrays in memory; see `Backend`."""

    name: Final = "numpy"
    generator: Final = SFC64
    xp: Final[Any] = np
    threaded: Final = True

    def noise(self, seed: int, digest: str, indices: range) -> Noise:
        return NumpyNoise([stream(seed, digest, i) for i in indices])

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return np.empty(shape, dtype=dtype)

    def device(self, array: Any) -> Array:
        return array

    def host(self, array: Any) -> Any:
        return array

    def labels(self, answer: IntArray) -> IntArray:
        return answer

    def select(self, answer: IntArray, votes: IntArray) -> int:
        counters.select(answer, votes)
        return int(counters.withheld(answer, len(votes)))

    def match(
        self, answer: IntArray, candidate: IntArray, hits: IntArray, classes: int
    ) -> tuple[int, int]:
        joint = counters.match(answer, candidate, hits)
        return int(joint), int(counters.withheld(answer, classes))


NUMPY: Final = NumpyBackend()
