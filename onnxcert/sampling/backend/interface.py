"""Interface of a backend."""

from __future__ import annotations

from typing import Any, Protocol

from onnxcert._typing import Array, Noise


class Backend(Protocol):
    """Noise and vote counts on one kind of arrays. Only `host` returns NumPy arrays."""

    @property
    def name(self) -> str:
        """`numpy`, or `cupy`."""
        ...

    @property
    def generator(self) -> str:
        """Name of its random generator; tallies of different generators are never merged."""
        ...

    @property
    def xp(self) -> Any:
        """Array library, by the array API standard."""
        ...

    @property
    def threaded(self) -> bool:
        """Whether noise can be drawn in a thread while a model runs."""
        ...

    def noise(self, seed: int, digest: str, indices: range) -> Noise:
        """Return the noise of the draws `indices` of the input with this digest."""
        ...

    def prepare(self, x: Array, sigma: float) -> Any:
        """Return a form of `x` (an array of this backend) for repeated noise of this sigma."""
        ...

    def inputs(self, rows: int, shape: tuple[int, ...]) -> Array:
        """Return an uninitialised batch of inputs of this shape."""
        ...

    def device(self, array: Any) -> Array:
        """Return `array` (NumPy's or the backend's) as an array of the backend."""
        ...

    def host(self, array: Any) -> Any:
        """Return `array` (NumPy's or the backend's) as a NumPy array; no copy of one."""
        ...

    def answer(self, found: Any) -> Any:
        """Return a model's output in memory that its next pass does not overwrite."""
        ...

    def labels(self, answer: Any) -> Array:
        """Return the labels [b, *grid] of a model's output."""
        ...

    def select(self, answer: Any, votes: Array) -> Any:
        """Add the votes per class to `votes` [classes, *grid]; return how many are invalid."""
        ...

    def match(self, answer: Any, candidate: Array, hits: Array, classes: int) -> tuple[Any, Any]:
        """Add the votes for the candidate to `hits` [*grid].

        Returns:
            The number of draws in which every component voted for its candidate, and the number of
            invalid predictions: integers, or arrays without axes, to avoid synchronisation.
        """
        ...
