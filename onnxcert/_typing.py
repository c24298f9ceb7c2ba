"""Shared types and the two seams of the package: the model and the perturbation."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
LevelArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]


class Segmenter(Protocol):
    """A model: any callable from a batch of inputs to labels.

    Takes float32 [B, ...] in the declared input unit and returns integers [B, *grid], one per
    component. A value outside 0 .. classes - 1 is no vote.
    """

    def __call__(self, batch: FloatArray, /) -> IntArray: ...


@runtime_checkable
class Perturbation(Protocol):
    """A random perturbation of the input together with the attack it certifies against."""

    name: ClassVar[str]

    def parameters(self) -> dict[str, float]:
        """What reproduces this perturbation: ``PERTURBATIONS[name](**parameters())``."""
        ...

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError if `x` cannot hold this perturbation as it is."""
        ...

    def perturb(self, x: FloatArray, rng: np.random.Generator, out: FloatArray) -> None:
        """Write one independent random perturbation of `x` into `out`, of the same shape."""
        ...

    def radius(self, tau: float) -> float:
        """Size of the attack ruled out where P(vote = class) > tau; rounded down."""
        ...

    def formula(self, tau: float | None = None) -> str:
        """How the radius follows from tau, in symbols, or in numbers for one tau."""
        ...

    def shown(self, radius: float) -> str:
        """A radius as text, never more than it is."""
        ...

    def attack(self, size: str, unit: str) -> str:
        """The attack ruled out, as the middle of a sentence: `for every ... `.

        Args:
            size: of the attack, in words. unit: the unit of the input, in words.
        """
        ...
