"""The only source of randomness: draw i of an input, independent of the order of requests."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from onnxcert._typing import Array, Perturbation
from onnxcert.errors import ParameterError
from onnxcert.sampling.backend import NUMPY, Backend

# Generators of earlier versions, which added noise in float32. Their records can be decided, but
# not drawn again.
FLOAT32_GENERATORS: Final = ("numpy-seedsequence-sfc64", "philox4x32-10-boxmuller")


@dataclass(frozen=True)
class Draws:
    """The random perturbations of one input.

    Draw i is a pure function of (seed, input digest, i, generator): no batch size, worker or
    restart changes it, and different draws use independent streams. Only counts of equal `Draws`
    may be added.

    Args:
        perturbation: perturbation of the input.
        seed: 0 or more.
        digest: SHA-256 of the input, 64 hexadecimal digits.
        generator: name of the generator; only tallies of one generator may be merged.
    """

    perturbation: Perturbation
    seed: int
    digest: str
    generator: str = NUMPY.generator

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ParameterError(
                f"the digest of an input must be 64 hexadecimal digits, got {self.digest!r}."
            )

    def write(self, x: Array, indices: range, out: Array, backend: Backend = NUMPY) -> None:
        """Write the draws `indices` of `x` into the rows of `out` [len(indices), *x.shape].

        Raises:
            ParameterError: the backend has another generator, or `x` cannot hold the noise.
        """
        self.writer(x, backend)(indices, out)

    def writer(self, x: Array, backend: Backend = NUMPY) -> Callable[[range, Array], None]:
        """Return `write` for many batches of one input (the backend's or NumPy's, float32).

        Raises:
            ParameterError: the backend has another generator, or `x` cannot hold the noise.
        """
        if self.generator != backend.generator:
            raise ParameterError(
                f"these draws need the generator {self.generator!r}, but this onnxcert has "
                f"{backend.generator!r} here; draws of two generators are never mixed, so start a "
                "new run."
            )
        self.perturbation.check(x)
        prepared = self.perturbation.prepare(x, backend)

        def write(indices: range, out: Array) -> None:
            noise = backend.noise(self.seed, self.digest, indices)
            self.perturbation.perturb(prepared, noise, out)

        return write

    def law_error(self, shape: tuple[int, ...]) -> float:
        """Return how far the law of one draw is from the law in the theorem, in total variation.

        See `onnxcert._typing.Perturbation.law_error`.
        """
        return self.perturbation.law_error(shape)

    @property
    def law_note(self) -> str:
        """Defect of the law of draws of earlier versions; empty for this version."""
        if self.generator not in FLOAT32_GENERATORS:
            return ""
        return (
            f"the noise of the generator {self.generator} was added in float32, which shows a "
            "model the low bits of the input, so that its law is not exactly the theorem's; "
            "certify again with this version to close that gap"
        )

    def warm_up_draws(self) -> Self:
        """Return warm-up draws, independent of the counted ones."""
        digest = hashlib.sha256(b"rehearsal" + bytes.fromhex(self.digest)).hexdigest()
        return type(self)(self.perturbation, self.seed, digest, self.generator)


def check_seed(seed: int) -> None:
    """Raise ParameterError unless 0 <= seed < 2**63."""
    if isinstance(seed, bool) or seed != int(seed) or not 0 <= seed < 2**63:
        raise ParameterError(f"the seed must be from 0 to 2**63 - 1, got {seed}.")


def digest(x: npt.NDArray[Any]) -> str:
    """Return the SHA-256 of an input's element type, shape and values, as 64 hexadecimal digits."""
    little = np.ascontiguousarray(x, dtype=x.dtype.newbyteorder("<"))
    sha = hashlib.sha256(f"{little.dtype.str} {x.shape}\n".encode())
    sha.update(little.reshape(-1).data)  # a view, without a copy
    return sha.hexdigest()


def random_seed() -> int:
    """Return a random 63-bit seed."""
    return secrets.randbits(63)
