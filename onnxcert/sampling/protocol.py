"""The model as the sampler sees it: one full interface, which any function can be given."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Perturbation
from onnxcert.errors import ParameterError
from onnxcert.sampling.backend import NUMPY, Backend

Function = Callable[[Any], Any]


class Segmenter(ABC):
    """A model: maps a batch of inputs to labels, one per component.

    The defaults are those of a plain function; see `as_segmenter`.
    """

    @abstractmethod
    def __call__(self, batch: FloatArray, /) -> IntArray:
        """Return the labels of inputs in memory, which stay unchanged.

        Args:
            batch: float32 [B, ...] in the declared input unit.

        Returns:
            Integers [B, *grid]. A value outside 0 .. classes - 1 is an invalid prediction.
        """

    @abstractmethod
    def bind(
        self, x: FloatArray, perturbation: Perturbation, backend: Backend, /
    ) -> tuple[Function, Backend]:
        """Return a function of noisy copies of `x`, and the backend that draws and counts them.

        The function may overwrite its batch, an array of that backend, and return labels or
        `onnxcert.sampling.kernels.Scores`.

        Args:
            x: float32, without a batch axis.
            perturbation: the noise.
            backend: the backend of the count.
        """

    @property
    def backend(self) -> Backend:
        """Draws the noise and counts the votes."""
        return NUMPY

    @property
    def classes(self) -> int | None:
        """Number of classes; None if unknown."""
        return None

    @property
    def at_once(self) -> int:
        """Number of threads that may call it concurrently."""
        return 1

    @property
    def on_device(self) -> bool:
        """Whether rounding may depend on the batch size, as on a GPU."""
        return False

    @property
    def mixes_draws(self) -> bool:
        """Whether draws of one batch are known to influence each other."""
        return False

    @property
    def rows(self) -> int | None:
        """The fixed batch size; None if any is possible."""
        return None

    @property
    def scored(self) -> bool:
        """Whether `scores` gives the scores behind the labels."""
        return False

    def scores(self, batch: FloatArray) -> FloatArray:
        """Return the scores of inputs in memory: float32 [B, C, *grid]."""
        raise NotImplementedError

    def values(self, shape: tuple[int, ...]) -> int:
        """Return the number of values that the network gets for an input of this shape."""
        return math.prod(shape)

    def check_noise(  # noqa: B027 - a function keeps no channel unchanged
        self, x: FloatArray, noisy: FloatArray, perturbation: Perturbation
    ) -> None:
        """Raise ParameterError if the noise changed a channel of `x` that must stay unchanged."""


@final
class CallableSegmenter(Segmenter):
    """A function from a batch to labels, which may overwrite its batch and reuse its output.

    It may have the attributes `classes`, `at_once`, `backend`, `on_device` and `mixes_draws`.
    """

    def __init__(self, function: Function) -> None:
        self._function = function

    def __call__(self, batch: FloatArray, /) -> IntArray:
        labels: IntArray = self._function(np.array(batch, order="C"))
        return labels

    def bind(
        self, _x: FloatArray, _perturbation: Perturbation, backend: Backend, /
    ) -> tuple[Function, Backend]:
        return self._function, backend

    @property
    def backend(self) -> Backend:
        return getattr(self._function, "backend", NUMPY)

    @property
    def classes(self) -> int | None:
        return getattr(self._function, "classes", None)

    @property
    def at_once(self) -> int:
        threads = getattr(self._function, "at_once", 1)
        if not isinstance(threads, int) or threads < 1:
            raise ParameterError(
                f"at_once of a model must be a whole number from 1 (threads), got {threads!r}."
            )
        return threads

    @property
    def on_device(self) -> bool:
        return self.backend is not NUMPY or bool(getattr(self._function, "on_device", False))

    @property
    def mixes_draws(self) -> bool:
        return bool(getattr(self._function, "mixes_draws", False))


def as_segmenter(model: Segmenter | Function) -> Segmenter:
    """Return `model` itself, or a function as a segmenter."""
    return model if isinstance(model, Segmenter) else CallableSegmenter(model)
