"""Trial passes with one row and with two, where the file does not define the axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import onnx
from onnx import helper

from onnxcert.errors import ModelError
from onnxcert.model.contract.answer_axes import (
    OFF_GRID,
    OutputShapes,
    Shape,
    is_off_grid,
    layouts,
    matches_contract,
)
from onnxcert.model.contract.base import INTEGER_TYPES, Contract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.graph.extract import extract_subgraph
from onnxcert.model.graph.file import ModelFile
from onnxcert.model.runtime.session import Session, open_session


@final
@dataclass(frozen=True, eq=False)
class Trial:
    """Shapes of a network's outputs for random rows, and its output for one row."""

    shapes: OutputShapes
    answer: Any


def try_answers(
    proto: onnx.ModelProto,
    contract: Contract,
    output: str,
    *,
    grids: Sequence[Shape] | None = None,
) -> Trial | None:
    """Run the bare network on one row and on two; return None if it runs on no grid.

    Uses the first grid on which the output's axes can be read, else the first on which it runs.

    Args:
        proto: the model.
        contract: contract with all fields of the inputs; output fields are ignored.
        output: name of the output.
        grids: grids of the input's components to try; None for those of the contract.
    """
    session = _open_bare(proto, contract, output)
    if session is None:
        return None
    first = None
    for grid in contract.trial_grids if grids is None else grids:
        one = _run_rows(session, proto, contract, grid, 1)
        if one is None and contract.batch not in (None, 1):
            many = _run_rows(session, proto, contract, grid, contract.batch)
            one = many[:1] if many is not None and len(many) == contract.batch else None
        if one is None:
            continue
        two = _run_rows(session, proto, contract, grid, 2)
        found = Trial(OutputShapes(grid, one.shape, None if two is None else two.shape), one)
        if layouts(found.shapes, contract):
            return found
        first = first or found
    return first


def refuse_tried_axes(file: ModelFile, contract: Contract, grids: Sequence[Shape]) -> None:
    """Raise ModelError if a trial on one of the grids shows other axes than the contract's."""
    trial = try_answers(file.proto, contract, contract.output, grids=grids)
    if trial is not None:
        refuse_other_axes(file, contract, trial.shapes.one, 1, trial.shapes.grid)


def refuse_other_axes(
    file: ModelFile, contract: Contract, answer: Shape, rows: int, grid: Shape
) -> None:
    """Raise ModelError unless the output for `rows` rows has the axes of the contract."""
    if matches_contract(answer, rows, grid, contract):
        return
    inputs = "input" if rows == 1 else "inputs"
    came = f"{file.path} gives {list(answer)} for {rows} {inputs} of {list(grid)}"
    fits = len(answer) == contract.output_rank
    if contract.classifies and fits and answer[0] == rows:
        expected = f"one cell (task classification: {contract.sources.get('task', 'assumed')})"
    elif fits and is_off_grid(answer, rows, grid, contract):
        raise ModelError(f"{came}, {OFF_GRID}")
    elif contract.single:
        expected = f"{contract.output_axes} without a batch axis"
    else:
        expected = f"{contract.output_axes} with {rows} in front"
    raise ModelError(
        f"{came}, but {expected} was expected; see onnxcert inspect, or choose another with "
        "--output."
    )


def gives_equal_rows(proto: onnx.ModelProto, contract: Contract, grid: Shape, rows: int) -> bool:
    """Return whether equal rows get equal outputs along the first axis.

    This distinguishes the batch from an equal number of classes, if the graph takes no other size.
    """
    session = _open_bare(proto, contract, contract.output)
    answer = None
    if session is not None:
        answer = _run_rows(session, proto, contract, grid, rows, equal=True)
    if answer is None or len(answer) != rows:
        return False
    values = np.asarray(answer, dtype=np.float64)
    return bool(np.allclose(values, values[:1], rtol=1e-3, atol=1e-5, equal_nan=True))


def _open_bare(proto: onnx.ModelProto, contract: Contract, output: str) -> Session | None:
    try:
        return open_session(_extract_bare(proto, contract, output), device="cpu")
    except ModelError:
        return None


def _extract_bare(proto: onnx.ModelProto, contract: Contract, output: str) -> onnx.ModelProto:
    """Return the subgraph of the output, with its shape removed and the input axes free."""
    value = next((o for o in proto.graph.output if o.name == output), None)
    if value is None:
        raise ModelError(f"the model has no output {output!r}; name one with --output.")
    bare_output = helper.make_tensor_value_info(output, value.type.tensor_type.elem_type, None)
    network = extract_subgraph(proto, bare_output)
    del network.graph.value_info[:]
    for value in network.graph.input:
        if value.name == contract.input:
            for i, axis in enumerate(value.type.tensor_type.shape.dim):
                axis.Clear()
                axis.dim_param = f"onnxcert_axis_{i}"
    return network


def _run_rows(
    session: Session,
    proto: onnx.ModelProto,
    contract: Contract,
    grid: Shape,
    rows: int,
    *,
    equal: bool = False,
) -> Any:
    """Return the output for `rows` rows, or None if the network fails."""
    taken = {value.name for value in session.runtime.get_inputs()}
    try:
        feeds = {name: v for name, v in _feeds(proto, contract, grid, rows, equal) if name in taken}
        session.check(feeds)
        answer = session.runtime.run(None, feeds)[0]
    except Exception:  # any failure means that the network does not take such rows
        return None
    return answer if isinstance(answer, np.ndarray) else None


def _feeds(
    proto: onnx.ModelProto, contract: Contract, grid: Shape, rows: int, equal: bool
) -> Iterable[tuple[str, Any]]:
    """Yield (name, value) of every input: random values, the feeds, the first category."""
    rng = np.random.default_rng(0)
    sides = iter(grid)
    shape = [
        rows if i == 0 else contract.network_channels if axis == "C" else next(sides)
        for i, axis in enumerate(contract.layout)
    ]
    values = rng.random(shape, dtype=np.float32)
    if equal:
        values[:] = values[:1]
    if contract.dtype in INTEGER_TYPES:
        values = np.rint(values * 100)
    yield contract.input, values.astype(contract.dtype)
    fed = dict(contract.feeds)
    for value in proto.graph.input:
        axes = value.type.tensor_type.shape.dim
        kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if value.name in fed:
            array = np.asarray(fed[value.name], dtype=kind)
            if value.type.tensor_type.HasField("shape") and array.ndim == len(axes) - 1:
                array = np.broadcast_to(array, (rows, *array.shape)).copy()
            yield value.name, array
        elif isinstance(contract, PointContract) and value.name == contract.category_input:
            count = len(contract.categories)
            lengths = [axis.dim_value or (count if i == 1 else 1) for i, axis in enumerate(axes)]
            yield value.name, np.ones([rows, *lengths[1:]], dtype=kind)
