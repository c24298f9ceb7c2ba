"""How the axes of a model's answer are found: from what the file declares, or by trial passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.answer_axes import OFF_GRID, Shown, fits, is_as_said, is_off_grid, layouts
from onnxcert.model.contract import ASSUMED
from onnxcert.model.proposal import GRAPH, AnyContract
from onnxcert.model.question import Question
from onnxcert.model.running.trial_passes import Trial, try_answers
from onnxcert.model.tracing import Axes, axes, inferred_axes, shown

TRIAL: Final = "trial passes"


@final
@dataclass(frozen=True, eq=False)
class Answer:
    """The axes of an output, as far as they are known.

    Attributes:
        shape: with a batch axis in front, also where the output has none; None where unknown.
        grid: of the components as the network sees them.
        layout: one of the contract's `single_layouts`; empty where there is a batch axis.
        source: who says so.
        settled: whether the file says enough, so that no trial is needed.
        trial: the passes that showed it, if there were any.
    """

    shape: Axes | None
    grid: Axes | None
    layout: str
    source: str
    settled: bool
    trial: Trial | None = None

    @property
    def rank(self) -> int | None:
        """Number of the output's own axes."""
        return None if self.shape is None else len(self.shape) - bool(self.layout)


def read_answer(
    contract: AnyContract,
    proto: onnx.ModelProto,
    value: onnx.ValueInfoProto,
    complete: Callable[[AnyContract, Answer], AnyContract],
    *,
    thorough: bool = False,
) -> AnyContract:
    """`contract`, completed with the axes of its output.

    What the file declares is taken where it leaves nothing open, and held to the first passes of
    the run (`onnxcert.model.running.network`). Else the network is tried on random rows.

    Args:
        contract: with all about its inputs.
        value: the output.
        complete: the contract with form and classes; raises ContractError where they are open.
        thorough: whether to try even where nothing is open.

    Raises:
        ContractError: the axes cannot be read, or the answer is not about the input's components.
    """
    completed = refusal = None
    try:
        answer = _declared(contract, proto, value)
        completed = complete(_with_axes(contract, value.name, answer), answer)
        if answer.settled and completed.classes is not None and not thorough:
            return completed
    except ContractError as error:
        refusal = error
    tried = try_answers(proto, contract, value.name)
    if tried is not None and (layouts(tried.shown, contract) or completed is None):
        answer = _tried(contract, value.name, tried)
        completed = complete(_with_axes(contract, value.name, answer), answer)
        if _off_grid(completed, tried.shown):
            raise _unreadable(completed, value.name, tried.shown)
        return completed
    if completed is None:
        assert refusal is not None
        raise refusal
    if tried is not None and not answer.settled and (thorough or len(contract.trial_grids) == 1):
        _tried(contract, value.name, tried)  # says why it cannot be read
    if tried is not None and thorough and _off_grid(completed, tried.shown):
        raise _unreadable(completed, value.name, tried.shown)
    # It may be made for another size than those tried; the first passes of the run tell.
    return completed


def input_grid(
    contract: AnyContract, proto: onnx.ModelProto
) -> tuple[int | str | None, Axes | None]:
    """(rows, grid of the components) as the graph declares them for its input."""
    seen = axes(next(i for i in proto.graph.input if i.name == contract.input))
    if seen is None:
        return None, None
    named = list(zip(contract.layout, seen, strict=True))
    return seen[0], tuple(length for axis, length in named[1:] if axis != "C")


def _declared(contract: AnyContract, proto: onnx.ModelProto, value: onnx.ValueInfoProto) -> Answer:
    """The answer as the file declares it."""
    rows, grid = input_grid(contract, proto)
    shape = axes(value) or inferred_axes(proto, value.name)
    if shape is None:
        return Answer(None, grid, "", ASSUMED, settled=False)
    counts = shape[:1] == (rows,) and rows is not None
    whole = _whole(shape[1:]) and grid is not None and _whole(grid)
    if whole and (counts or (isinstance(shape[0], int) and isinstance(rows, int))):
        # Two rows are not declared where the batch is fixed at one.
        rest = tuple(n for n in shape[1:] if isinstance(n, int))
        one = (1, *rest) if counts else (shape[0], *rest)
        two = (2, *rest) if counts and rows != 1 else None
        seen = Shown(tuple(grid), one, two)  # type: ignore[arg-type]
        layout = _chosen(contract, value.name, seen)
        found = shape if not layout else (1, *shape)
        return Answer(found, grid, layout, f"{GRAPH}: {shown(shape)}", settled=True)
    full = max(contract.ranks)
    if counts:
        settled = len(shape) == full or shape[1:] == grid or len(shape) < full - 1
        return Answer(shape, grid, "", f"{GRAPH}: its batch axis", settled=settled)
    if grid is not None and None not in (*shape, *grid):
        seen = Shown(grid, shape, None)  # type: ignore[arg-type]
        single = [n for n in contract.single_layouts if n != "C" and fits(n, seen, contract)]
        if len(single) == 1:
            source = f"{GRAPH}: {shown(shape)}"
            return Answer((1, *shape), grid, single[0], source, settled=False)
    if isinstance(shape[0], int) and shape[0] != rows and shape[0] != 1:
        raise _not_components(value.name, shape, grid)
    return Answer(shape, grid, "", ASSUMED, settled=False)


def _tried(contract: AnyContract, name: str, trial: Trial) -> Answer:
    """The answer as trial passes show it."""
    seen = trial.shown
    layout = _chosen(contract, name, seen)
    shape = (1, *seen.one) if layout else seen.one
    return Answer(shape, seen.grid, layout, TRIAL, settled=True, trial=trial)


def _chosen(contract: AnyContract, name: str, seen: Shown) -> str:
    """The one layout that fits, or that was said.

    Raises:
        ContractError: none fits, or several do and nothing was said.
    """
    possible = layouts(seen, contract)
    if not possible:
        raise _unreadable(contract, name, seen)
    if "output_layout" in contract.sources:
        said = contract.output_layout
        # With a batch axis in mind, but the order of the others is the same.
        for layout in (said, said[1:] if said in contract.layouts else said, ""):
            if layout in possible:
                return layout
        if said in contract.single_layouts:
            raise ContractError(
                f"the output {name!r} {shown(seen.one)} cannot be {said} where one input has the "
                f"grid {shown(seen.grid)}; leave --output-layout out, or pass another."
            )
    if len(possible) > 1:
        orders = [layout or contract.layouts[0] for layout in possible]
        flags = " or ".join(f"--output-layout {order}" for order in orders)
        raise Question(
            f"the output {name!r} {shown(seen.one)} has no batch axis and its axes may come in "
            f"several orders; pass {flags}.",
            flag="--output-layout",
            values=orders,
            meaning=f"order of the axes of {name!r} {shown(seen.one)}",
            answer={"output_layout": orders[0]},
        )
    return possible[0]


def _with_axes(contract: AnyContract, name: str, answer: Answer) -> AnyContract:
    """`contract` with what it cannot be without a batch axis refused, and its layout noted."""
    if not answer.layout:
        if contract.single:
            raise ContractError(
                f"the output {name!r} {shown(answer.shape)} has a batch axis, which "
                f"{contract.output_layout} has not; leave --output-layout out."
            )
        return contract
    if contract.batch not in (None, 1) or getattr(contract, "passes", 1) > 1:
        rows = f"{contract.batch} inputs" if contract.batch not in (None, 1) else "several passes"
        raise ContractError(
            f"the output {name!r} has no axis for the {rows} that go in at once; export the model "
            "with a batch axis, or run it with one pass for one input."
        )
    source = contract.sources.get("output_layout", answer.source)
    return contract.override(source, output_layout=answer.layout)


def _off_grid(contract: AnyContract, seen: Shown) -> bool:
    """Whether an answer in a trial has other heights and widths than can be the input's."""
    if contract.classifies or is_as_said(seen.one, 1, seen.grid, contract):
        return False
    return is_off_grid(seen.one, 1, seen.grid, contract)


def _unreadable(contract: AnyContract, name: str, seen: Shown) -> ContractError:
    """What to raise where an answer is not about the components."""
    if is_off_grid(seen.one, 1, seen.grid, contract):
        came = f"the output {name!r} answers one input of {shown(seen.grid)} with {shown(seen.one)}"
        return ContractError(f"{came}, {OFF_GRID}")
    return _not_components(name, seen.one, seen.grid)


def _not_components(name: str, shape: Axes, grid: Axes | None) -> ContractError:
    return ContractError(
        f"the output {name!r} answers one input with {shown(shape)}, but the axes must be the "
        f"batch and classes, or those of the input {shown(grid)} (no boxes or lists); "
        "choose another with --output, or export labels or scores with a batch axis."
    )


def _whole(shape: Axes) -> bool:
    return all(isinstance(n, int) for n in shape)
