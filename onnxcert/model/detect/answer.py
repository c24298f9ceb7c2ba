"""Find the axes of a model's output: from the shapes in the file, or by trial passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.answer_axes import (
    OFF_GRID,
    OutputShapes,
    fits,
    is_off_grid,
    layouts,
    matches_contract,
)
from onnxcert.model.contract.base import ASSUMED, AnyContract
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.trial_passes import Trial, try_answers
from onnxcert.model.detect.values import GRAPH
from onnxcert.model.graph.tracing import Axes, axes, describe, infer_axes

TRIAL: Final = "trial passes"


@final
@dataclass(frozen=True, eq=False)
class OutputAxes:
    """The axes of an output, as far as they are known.

    Attributes:
        shape: Shape with a batch axis first, even if the output has none; None if unknown.
        grid: Grid of the components as the network sees them.
        layout: One of the contract's `single_layouts`; empty if the output has a batch axis.
        source: Where this comes from.
        settled: Whether the file is enough, so that no trial is needed.
        trial: The trial passes that showed it, or None.
    """

    shape: Axes | None
    grid: Axes | None
    layout: str
    source: str
    settled: bool
    trial: Trial | None = None

    @property
    def rank(self) -> int | None:
        """Number of axes of the output itself."""
        return None if self.shape is None else len(self.shape) - bool(self.layout)


def read_output_axes(
    contract: AnyContract,
    proto: onnx.ModelProto,
    value: onnx.ValueInfoProto,
    complete: Callable[[AnyContract, OutputAxes], AnyContract],
    *,
    thorough: bool = False,
) -> AnyContract:
    """Return `contract` with the axes of its output.

    Use the shapes in the file if they are complete; the first passes of the run check them
    (`onnxcert.model.network.network`). Otherwise run the network on random rows.

    Args:
        contract: Contract whose inputs are complete.
        proto: The model.
        value: The output.
        complete: Adds form and classes to a contract; raises ContractError if they are missing.
        thorough: Whether to run the network even if the file is complete.

    Raises:
        ContractError: The axes cannot be determined, or the output is not about the components of
            the input.
    """
    completed = refusal = None
    try:
        answer = _read_shapes(contract, proto, value)
        completed = complete(_set_layout(contract, value.name, answer), answer)
        if answer.settled and completed.classes is not None and not thorough:
            return completed
    except ContractError as error:
        refusal = error
    tried = try_answers(proto, contract, value.name)
    if tried is not None and (layouts(tried.shapes, contract) or completed is None):
        answer = _read_trial(contract, value.name, tried)
        completed = complete(_set_layout(contract, value.name, answer), answer)
        if _has_other_grid(completed, tried.shapes):
            raise _unreadable_error(completed, value.name, tried.shapes)
        return completed
    if completed is None:
        assert refusal is not None
        raise refusal
    if tried is not None and not answer.settled and (thorough or len(contract.trial_grids) == 1):
        _read_trial(contract, value.name, tried)  # raises the error with the reason
    if tried is not None and thorough and _has_other_grid(completed, tried.shapes):
        raise _unreadable_error(completed, value.name, tried.shapes)
    # The model may need another size than those tried; the first passes of the run check it.
    return completed


def declared_grid(
    contract: AnyContract, proto: onnx.ModelProto
) -> tuple[int | str | None, Axes | None]:
    """Return (rows, grid of the components) as the graph declares them for its input."""
    seen = axes(next(i for i in proto.graph.input if i.name == contract.input))
    if seen is None:
        return None, None
    named = list(zip(contract.layout, seen, strict=True))
    return seen[0], tuple(length for axis, length in named[1:] if axis != "C")


def _read_shapes(
    contract: AnyContract, proto: onnx.ModelProto, value: onnx.ValueInfoProto
) -> OutputAxes:
    """Return the output axes that the file declares."""
    rows, grid = declared_grid(contract, proto)
    shape = axes(value) or infer_axes(proto).get(value.name)
    if shape is None:
        return OutputAxes(None, grid, "", ASSUMED, settled=False)
    counts = shape[:1] == (rows,) and rows is not None
    whole = _are_known(shape[1:]) and grid is not None and _are_known(grid)
    if whole and (counts or (isinstance(shape[0], int) and isinstance(rows, int))):
        # With a batch fixed at one, the file does not tell the output for two rows.
        rest = tuple(n for n in shape[1:] if isinstance(n, int))
        one = (1, *rest) if counts else (shape[0], *rest)
        two = (2, *rest) if counts and rows != 1 else None
        seen = OutputShapes(tuple(grid), one, two)  # type: ignore[arg-type]
        layout = _choose_layout(contract, value.name, seen)
        found = shape if not layout else (1, *shape)
        return OutputAxes(found, grid, layout, f"{GRAPH}: {describe(shape)}", settled=True)
    full = max(contract.ranks)
    if counts:
        settled = len(shape) == full or shape[1:] == grid or len(shape) < full - 1
        return OutputAxes(shape, grid, "", f"{GRAPH}: its batch axis", settled=settled)
    if grid is not None and None not in (*shape, *grid):
        seen = OutputShapes(grid, shape, None)  # type: ignore[arg-type]
        single = [n for n in contract.single_layouts if n != "C" and fits(n, seen, contract)]
        if len(single) == 1:
            source = f"{GRAPH}: {describe(shape)}"
            return OutputAxes((1, *shape), grid, single[0], source, settled=False)
    if isinstance(shape[0], int) and shape[0] != rows and shape[0] != 1:
        raise _components_error(value.name, shape, grid)
    return OutputAxes(shape, grid, "", ASSUMED, settled=False)


def _read_trial(contract: AnyContract, name: str, trial: Trial) -> OutputAxes:
    """Return the output axes that trial passes show."""
    seen = trial.shapes
    layout = _choose_layout(contract, name, seen)
    shape = (1, *seen.one) if layout else seen.one
    return OutputAxes(shape, seen.grid, layout, TRIAL, settled=True, trial=trial)


def _choose_layout(contract: AnyContract, name: str, seen: OutputShapes) -> str:
    """Return the only layout that fits, or the one that the contract gives.

    Raises:
        ContractError: No layout fits, or several fit and the contract gives none.
    """
    possible = layouts(seen, contract)
    if not possible:
        raise _unreadable_error(contract, name, seen)
    if "output_layout" in contract.sources:
        requested = contract.output_layout
        # The given layout may count a batch axis; the order of the other axes is the same.
        for layout in (
            requested,
            requested[1:] if requested in contract.layouts else requested,
            "",
        ):
            if layout in possible:
                return layout
        if requested in contract.single_layouts:
            raise ContractError(
                f"the output {name!r} {describe(seen.one)} cannot be {requested} if one input has "
                f"the grid {describe(seen.grid)}; leave out --output-layout, or pass another."
            )
    if len(possible) > 1:
        orders = [layout or contract.layouts[0] for layout in possible]
        flags = " or ".join(f"--output-layout {order}" for order in orders)
        raise MissingSetting(
            f"the output {name!r} {describe(seen.one)} has no batch axis and several orders of its "
            f"axes are possible; pass {flags}.",
            flag="--output-layout",
            values=orders,
            meaning=f"order of the axes of {name!r} {describe(seen.one)}",
            answer={"output_layout": orders[0]},
        )
    return possible[0]


def _set_layout(contract: AnyContract, name: str, answer: OutputAxes) -> AnyContract:
    """Return `contract` with the layout of an output without batch axis.

    Raises:
        ContractError: The layout contradicts the batch axis, or several inputs are passed at once.
    """
    if not answer.layout:
        if contract.single:
            raise ContractError(
                f"the output {name!r} {describe(answer.shape)} has a batch axis but the layout "
                f"{contract.output_layout} has none; leave out --output-layout."
            )
        return contract
    if contract.batch not in (None, 1) or contract.passes > 1:
        rows = f"{contract.batch} inputs" if contract.batch not in (None, 1) else "several passes"
        raise ContractError(
            f"the output {name!r} has no batch axis for the {rows} of one call; export the model "
            "with a batch axis, or use one pass for each input."
        )
    source = contract.sources.get("output_layout", answer.source)
    return contract.override(source, output_layout=answer.layout)


def _has_other_grid(contract: AnyContract, seen: OutputShapes) -> bool:
    """Return whether height and width of a trial output cannot belong to the input."""
    if contract.classifies or matches_contract(seen.one, 1, seen.grid, contract):
        return False
    return is_off_grid(seen.one, 1, seen.grid, contract)


def _unreadable_error(contract: AnyContract, name: str, seen: OutputShapes) -> ContractError:
    """Return the error for an output that is not about the components."""
    if is_off_grid(seen.one, 1, seen.grid, contract):
        sentence = (
            f"the output {name!r} for one input of {describe(seen.grid)} is {describe(seen.one)}"
        )
        return ContractError(f"{sentence}, {OFF_GRID}")
    return _components_error(name, seen.one, seen.grid)


def _components_error(name: str, shape: Axes, grid: Axes | None) -> ContractError:
    return ContractError(
        f"the output {name!r} for one input is {describe(shape)}, but the axes must be the batch "
        f"and classes, or those of the input {describe(grid)} (no boxes or lists); select another "
        "output with --output, or export labels or scores with a batch axis."
    )


def _are_known(shape: Axes) -> bool:
    return all(isinstance(n, int) for n in shape)
