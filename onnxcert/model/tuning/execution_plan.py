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
    """Return the execution plan for `x`, by autotuning and a batch-invariance check.

    Batch dependence is a property of the model: once found, every input runs one draw per pass.

    Args:
        model: the model, after at least one pass.
        x: the declared input.
        draws: its draws; no counted draw is used.
        each: draws per input.
        inputs: number of inputs of its shape to come.
        checked: draws that the leak check runs again alone, if they run in batches.
        batch_size: draws per pass; None to autotune.
        known: the plan of the first input of its shape, after which the check is short; None for
            that input itself.
        leaky: whether the model is known to be batch-dependent.

    Raises:
        ModelError: the model gives different outputs for the same input.
        ParameterError: the noise changed a channel that must stay unchanged.
    """
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
