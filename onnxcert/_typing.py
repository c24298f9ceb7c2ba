"""Shared types and the two seams of the package: the model and the perturbation."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
LevelArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]
# An array of any library that follows the array API standard: NumPy, CuPy.
Array = Any


class Segmenter(Protocol):
    """A model: any callable from a batch of inputs to labels.

    Takes float32 [B, ...] in the declared input unit and returns integers [B, *grid], one per
    component. A value outside 0 .. classes - 1 is no vote.
    """

    def __call__(self, batch: FloatArray, /) -> IntArray: ...


class Noise(Protocol):
    """The randomness of a batch of draws: independent numbers, one stream a draw.

    Call `add_normal` once, or `normals` once and then `offsets` once.
    """

    def __len__(self) -> int: ...

    def add_normal(self, x: Any, sigma: float, out: Array) -> None:
        """Write the grid point nearest to x + sigma z into each row of `out`, with standard normals
        z of its own; see `onnxcert.kernels.grid_step`.

        Args:
            x: float32, without a batch axis, or what the backend's `prepare` made of it.
            out: float32 [draws, *x.shape], each row C-contiguous.
        """
        ...

    def normals(self, count: int) -> LevelArray:
        """So many standard normals of each draw: float64 [draws, count], in memory."""
        ...

    def offsets(self) -> LevelArray:
        """A number of each draw, uniform in [0, 1): float64 [draws], in memory."""
        ...


@runtime_checkable
class Perturbation(Protocol):
    """A random perturbation of the input together with the attack it certifies against."""

    name: ClassVar[str]

    @property
    def sigma(self) -> float:
        """The standard deviation of the noise, in `unit`."""
        ...

    def parameters(self) -> dict[str, Any]:
        """JSON values that reproduce this perturbation: ``PERTURBATIONS[name](**parameters())``."""
        ...

    def described(self) -> str:
        """The noise and its parameters in a few words, e.g. ``gaussian sigma 0.25``."""
        ...

    def unit(self, of_input: str) -> str:
        """The unit of sigma and of the radius, in words, where `of_input` is that of the input."""
        ...

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError if `x` cannot hold this perturbation as it is."""
        ...

    def law_error(self, shape: tuple[int, ...]) -> float:
        """Bound on the total variation between the law of one computed draw, over all values of
        an input of this shape, and the law that `radius` is proved for; docs/statistics.md,
        section 11."""
        ...

    def prepare(self, x: Array, backend: Any) -> Any:
        """What `perturb` may take in the place of `x` for many batches: what does not depend on
        the draw is computed once.

        Args:
            x: of the backend. backend: an `onnxcert.backend.Backend`.
        """
        ...

    def perturb(self, x: Any, noise: Noise, out: Array) -> None:
        """Write one independent random perturbation of `x` per draw into `out`.

        Row b is a pure function of x and the noise of draw b, bit for bit, however many rows
        there are.

        Args:
            x: the input, float32, without a batch axis, or what `prepare` made of it.
            noise: of the draws, one a row.
            out: float32 [len(noise), *x.shape], each row C-contiguous.
        """
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

    def attack(self, size: str, unit: str, of: str = "") -> str:
        """The attack ruled out, as the middle of a sentence: `for every ... `.

        Args:
            size: of the attack, in words. unit: the unit of the input, in words.
            of: what is attacked, in words, where it is not the whole input.
        """
        ...
