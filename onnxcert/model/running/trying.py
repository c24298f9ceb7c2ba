"""How a model is best and safely run on inputs of each shape, tried out before it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from onnxcert._typing import FloatArray, Segmenter
from onnxcert.draws import Draws
from onnxcert.model.running.batching import BatchSize, batch_size_for
from onnxcert.model.running.probe import LEAKS, leaks, probed


@final
@dataclass(frozen=True)
class Tried:
    """How to run one input.

    Attributes:
        batch: draws in one pass.
        one_draw_per_pass: whether it is one because batch mates were found to leak.
        warning: why that is slower than it could be, or nothing.
    """

    batch: BatchSize
    one_draw_per_pass: bool = False
    warning: str = ""


LEAKY: Final = Tried(BatchSize(1, "batch mates change answers"), True, LEAKS)


@final
class Trying:
    """Tries a model out: at length for the first input of each shape, shortly for the others.

    A leak is a fact about the model: once one was found, every input is run one draw a pass.

    Args:
        segment: the model.
        each: draws of one input.
        batch_size: draws in one pass; None finds a number.

    Attributes:
        leaky: whether a leak was found, here or by anybody else.
    """

    def __init__(
        self,
        segment: Segmenter,
        *,
        each: int,
        batch_size: int | None = None,
        leaky: bool = False,
    ) -> None:
        self._segment = segment
        self._each = each
        self._batch_size = batch_size
        self._found: dict[tuple[int, ...], Tried] = {}
        self.leaky = leaky

    def tried(self, x: FloatArray, draws: Draws, *, inputs: int = 1, checked: int = 0) -> Tried:
        """How to run `x`; see `onnxcert.model.running.probe` and `onnxcert.model.running.batching`.

        Args:
            x: the declared input, for which the model has answered before.
            draws: of it; none of those that are counted is used.
            inputs: how many inputs of its shape are to come.
            checked: draws of it that are run again alone where they are run in batches.

        Raises:
            ModelError: the model answers differently on the same input.
            ParameterError: the noise reached what must stay as it is.
        """
        found = try_out(
            self._segment,
            x,
            draws,
            each=self._each,
            inputs=inputs,
            checked=checked,
            batch_size=self._batch_size,
            known=self._found.get(x.shape),
            leaky=self.leaky,
        )
        self._found.setdefault(x.shape, found)
        self.leaky = self.leaky or found.one_draw_per_pass
        return found


def try_out(
    model: Segmenter,
    x: FloatArray,
    draws: Draws,
    *,
    each: int,
    inputs: int,
    checked: int = 0,
    batch_size: int | None,
    known: Tried | None,
    leaky: bool = False,
) -> Tried:
    """How to run `x`; see `Trying`.

    Args:
        known: how the first input of its shape is run; None for that one.
        leaky: whether a leak is known.
    """
    draws.perturbation.check(x)
    if known is not None:
        found = leaky or leaks(model, x, draws, batch_size=known.batch.draws)
        return LEAKY if found else known
    if leaky:
        batch = LEAKY.batch
    elif batch_size:
        batch = BatchSize(batch_size, "as asked for")
    else:
        batch = batch_size_for(model, x, draws, each=each, inputs=inputs, checked=checked)
    _, warning = probed(model, x, draws, batch_size=batch.draws)
    return LEAKY if warning or leaky else Tried(batch)
