"""How a model is best and safely run on inputs of each shape, tried out before it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from onnxcert._typing import FloatArray, Segmenter
from onnxcert.draws import Draws
from onnxcert.model.batching import BatchSize, batch_size_for
from onnxcert.model.probe import LEAKS, OneDrawPerPass, leaks, probed


@final
@dataclass(frozen=True)
class Tried:
    """How to run one input.

    Attributes:
        segment: what to count with.
        batch: draws in one pass.
        warning: why that is slower than it could be, or nothing.
    """

    segment: Segmenter
    batch: BatchSize
    warning: str


@final
class Trying:
    """Tries a model out: at length for the first input of each shape, shortly for the others.

    Args:
        segment: the model.
        each: draws of one input.
        batch_size: draws in one pass; None finds a number.
    """

    def __init__(self, segment: Segmenter, *, each: int, batch_size: int | None = None) -> None:
        self._segment = segment
        self._each = each
        self._batch_size = batch_size
        self._found: dict[tuple[int, ...], Tried] = {}

    def tried(self, x: FloatArray, draws: Draws, *, inputs: int = 1) -> Tried:
        """How to run `x`; see `onnxcert.model.probe` and `onnxcert.model.batching`.

        Args:
            x: the declared input, for which the model has answered before.
            draws: of it; none of those that are counted is used.
            inputs: how many inputs of its shape are to come.

        Raises:
            ModelError: the model answers differently on the same input.
            ParameterError: the noise reached what must stay as it is.
        """
        found = self._found.get(x.shape)
        if found is None:
            found = self._found[x.shape] = self._first(x, draws, inputs)
        elif not found.warning and leaks(found.segment, x, draws, batch_size=found.batch.draws):
            return Tried(OneDrawPerPass(found.segment), found.batch, LEAKS)
        return found

    def _first(self, x: FloatArray, draws: Draws, inputs: int) -> Tried:
        if self._batch_size:
            batch = BatchSize(self._batch_size, "as asked for")
        else:
            batch = batch_size_for(self._segment, x, draws, each=self._each, inputs=inputs)
        segment, warning = probed(self._segment, x, draws, batch_size=batch.draws)
        return Tried(segment, batch, warning)
