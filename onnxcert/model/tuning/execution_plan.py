"""Execution plan for each input shape, found by autotuning and checks before counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from onnxcert._typing import FloatArray
from onnxcert.model.tuning.batch_invariance import (
    LEAK_WARNING,
    check_batch_invariance,
    is_batch_dependent,
)
from onnxcert.model.tuning.batch_size import BatchSize, tune_batch_size
from onnxcert.sampling import Segmenter
from onnxcert.sampling.draws import Draws


@final
@dataclass(frozen=True)
class ExecutionPlan:
    """Execution plan of one input.

    Attributes:
        batch: the batch size.
        one_draw_per_pass: whether it is 1 because the model is not batch-invariant.
        warning: why the run is slower than it could be, else empty.
    """

    batch: BatchSize
    one_draw_per_pass: bool = False
    warning: str = ""


ONE_DRAW_PLAN: Final = ExecutionPlan(
    BatchSize(1, "outputs depend on the rest of the batch"), True, LEAK_WARNING
)


@final
class Autotuner:
    """Autotuning and batch-invariance check: full for the first input of each shape, then short.

    Batch dependence is a property of the model: once found, every input runs one draw per pass.

    Args:
        segment: the model.
        each: draws per input.
        batch_size: draws per pass; None to autotune.
        leaky: whether the model is known to be batch-dependent.

    Attributes:
        leaky: whether batch dependence was found, here or elsewhere.
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
        self._found: dict[tuple[int, ...], ExecutionPlan] = {}
        self.leaky = leaky

    def plan(
        self, x: FloatArray, draws: Draws, *, inputs: int = 1, checked: int = 0
    ) -> ExecutionPlan:
        """Return the execution plan for `x`; see `batch_invariance` and `batch_size`.

        Args:
            x: the declared input, after at least one pass of the model.
            draws: its draws; no counted draw is used.
            inputs: number of inputs of its shape to come.
            checked: draws that the leak check runs again alone, if they run in batches.

        Raises:
            ModelError: the model gives different outputs for the same input.
            ParameterError: the noise changed a channel that must stay unchanged.
        """
        found = make_plan(
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


def make_plan(
    model: Segmenter,
    x: FloatArray,
    draws: Draws,
    *,
    each: int,
    inputs: int,
    checked: int = 0,
    batch_size: int | None,
    known: ExecutionPlan | None,
    leaky: bool = False,
) -> ExecutionPlan:
    """Return the execution plan for `x`; see `Autotuner` for the other arguments.

    `known` is the plan of the first input of its shape, or None for that input itself.
    """
    draws.perturbation.check(x)
    if known is not None:
        found = leaky or is_batch_dependent(model, x, draws, batch_size=known.batch.draws)
        return ONE_DRAW_PLAN if found else known
    if leaky:
        batch = ONE_DRAW_PLAN.batch
    elif batch_size:
        batch = BatchSize(batch_size, "as requested")
    else:
        batch = tune_batch_size(model, x, draws, each=each, inputs=inputs, checked=checked)
    _, warning = check_batch_invariance(model, x, draws, batch_size=batch.draws)
    return ONE_DRAW_PLAN if warning or leaky else ExecutionPlan(batch)
