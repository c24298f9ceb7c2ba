"""Shared types, and the interface of a perturbation."""

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


class Noise(Protocol):
    """The random numbers of a batch of draws, one independent stream per draw.

    Call `add_normal` once, or `normals` once and then `offsets` once.
    """

    def __len__(self) -> int: ...

    def add_normal(self, x: Any, sigma: float, out: Array) -> None:
        """Write the grid point nearest to x + sigma z into each row of `out`.

        Each row has its own standard normals z; for the grid see
        `onnxcert.sampling.kernels.grid_step`.

        Args:
            x: Input, float32, without a batch axis; or the result of the backend's `prepare`.
            sigma: Standard deviation, in the unit of `x`.
            out: float32 [draws, *x.shape], each row C-contiguous.
        """
        ...

    def normals(self, count: int) -> LevelArray:
        """Return `count` standard normals per draw: float64 [draws, count], in memory."""
        ...

    def offsets(self) -> LevelArray:
        """Return one number per draw, uniform in [0, 1): float64 [draws], in memory."""
        ...


@runtime_checkable
class Perturbation(Protocol):
    """A random perturbation of the input and the attack that it certifies against."""

    name: ClassVar[str]

    @property
    def sigma(self) -> float:
        """Standard deviation of the noise, in `unit`."""
        ...

    @property
    def norm(self) -> str:
        """Norm of the attack; `onnxcert.statistics.guarantee` words it: ``L2`` or ``angle``."""
        ...

    @property
    def unit(self) -> str:
        """Unit of sigma and of the radius; empty for the unit of the input."""
        ...

    @property
    def formula(self) -> str:
        """Formula of the radius with ``{tau}`` and the names of `parameters` in braces."""
        ...

    def parameters(self) -> dict[str, Any]:
        """Return JSON values such that ``PERTURBATIONS[name](**parameters())`` equals `self`."""
        ...

    def check(self, x: FloatArray) -> None:
        """Raise ParameterError if `x` is not a valid input for this perturbation."""
        ...

    def law_error(self, shape: tuple[int, ...]) -> float:
        """Return a bound on the total variation distance between computed and exact noise.

        The distance is between the distribution of one computed draw and the distribution that
        `radius` is proved for; see docs/statistics.md, section 11.

        Args:
            shape: Shape of the input; the bound holds for all its values.
        """
        ...

    def prepare(self, x: Array, backend: Any) -> Any:
        """Compute once what does not depend on the draw; `perturb` takes the result instead of `x`.

        Args:
            x: Input, an array of the backend.
            backend: An `onnxcert.sampling.backend.Backend`.
        """
        ...

    def perturb(self, x: Any, noise: Noise, out: Array) -> None:
        """Write one independent random perturbation of `x` per draw into `out`.

        Row b is a deterministic function of x and the noise of draw b, bit for bit, whatever the
        number of rows.

        Args:
            x: Input, float32, without a batch axis; or the result of `prepare`.
            noise: Random numbers of the draws, one draw per row.
            out: float32 [len(noise), *x.shape], each row C-contiguous.
        """
        ...

    def radius(self, tau: float) -> float:
        """Return the certified radius for components with P(vote = class) > tau, rounded down."""
        ...
