"""How a model is best and safely run on inputs of each shape, tried out before it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from onnxcert._typing import FloatArray, Segmenter
from onnxcert.draws import Draws
from onnxcert.model.running.batching import BatchSize, batch_size_for
from onnxcert.model.running.probe import LEAKS, OneDrawPerPass, leaks, probed


@final
@dataclass(frozen=True)
class Tried:
    """How to run one input.

    Attributes:
        batch: draws in one pass.
        one_draw_per_pass: whether the model is shown them one at a time.
        warning: why that is slower than it could be, or nothing.
    """

    batch: BatchSize
    one_draw_per_pass: bool = False
    warning: str = ""

    def shown(self, model: Segmenter) -> Segmenter:
        """The model as it is to be counted with."""
        return OneDrawPerPass(model) if self.one_draw_per_pass else model


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
        """How to run `x`; see `onnxcert.model.running.probe` and `onnxcert.model.running.batching`.

        Args:
            x: the declared input, for which the model has answered before.
            draws: of it; none of those that are counted is used.
            inputs: how many inputs of its shape are to come.

        Raises:
            ModelError: the model answers differently on the same input.
            ParameterError: the noise reached what must stay as it is.
        """
        known = self._found.get(x.shape)
        found = try_out(
            self._segment,
            x,
            draws,
            each=self._each,
            inputs=inputs,
            batch_size=self._batch_size,
            known=known,
        )
        self._found.setdefault(x.shape, found)
        return found


def try_out(
    model: Segmenter,
    x: FloatArray,
    draws: Draws,
    *,
    each: int,
    inputs: int,
    batch_size: int | None,
    known: Tried | None,
) -> Tried:
    """How to run `x`; see `Trying`.

    Args:
        known: how the first input of its shape is run; None for that one.
    """
    if known is not None:
        if not known.warning and leaks(model, x, draws, batch_size=known.batch.draws):
            return Tried(known.batch, True, LEAKS)
        return known
    if batch_size:
        batch = BatchSize(batch_size, "as asked for")
    else:
        batch = batch_size_for(model, x, draws, each=each, inputs=inputs)
    segment, warning = probed(model, x, draws, batch_size=batch.draws)
    return Tried(batch, isinstance(segment, OneDrawPerPass), warning)
