"""What a backend does, wherever it does it."""

from __future__ import annotations

from typing import Any, Protocol

from onnxcert._typing import Array, Noise


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

    def prepare(self, x: Array, sigma: float) -> Any:
        """What its noise of this sigma may take in the place of `x`, its own array."""
        ...

    def inputs(self, rows: int, shape: tuple[int, ...]) -> Array:
        """A batch of so many inputs of this shape, with anything in it, for noise to be written."""
        ...

    def device(self, array: Any) -> Array:
        """`array`, NumPy's or its own, as its own."""
        ...

    def host(self, array: Any) -> Any:
        """`array`, NumPy's or its own, as NumPy's; no copy where it is."""
        ...

    def answer(self, found: Any) -> Any:
        """What a model returned, as something that the model does not write over in its next
        pass."""
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
