"""Count the nodes that a graph has with its functions written out, without writing them out.

Each function may call the previous one twice: forty of them are 2^40 nodes in a file of 4 kB.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import onnx

from onnxcert.errors import ModelError
from onnxcert.model.tracing import within

MOST: Final = 50_000  # nodes, for which ONNX Runtime needs seconds to make a session

_Key = tuple[str, str, str]


def refuse_too_many(proto: onnx.ModelProto, path: Path) -> None:
    """Raise ModelError if a model has more than `MOST` nodes, or a function calls itself."""
    functions = {_key(f, f.name): f for f in proto.functions}
    called = {key: _calls(f.node, functions) for key, f in functions.items()}
    sizes: dict[_Key, int] = {}
    try:
        for key in TopologicalSorter(called).static_order():
            sizes[key] = _size(functions[key].node, sizes)
    except CycleError:
        raise ModelError(
            f"{path} has a function that calls itself, which ONNX does not allow; export it again."
        ) from None
    count = _size(proto.graph.node, sizes)
    if count > MOST:
        written = ", with its functions written out," if functions else ""
        shown = f"{count:,}" if count < 10**12 else "over 10^12"
        raise ModelError(
            f"{path} has {shown} nodes{written} and at most {MOST:,} are read; export it with "
            "larger operators."
        )


def _size(nodes: Iterable[onnx.NodeProto], sizes: dict[_Key, int]) -> int:
    return sum(sizes.get(_key(node, node.op_type), 1) for node in within(nodes))


def _calls(nodes: Iterable[onnx.NodeProto], functions: dict[_Key, onnx.FunctionProto]) -> set[_Key]:
    return {key for node in within(nodes) if (key := _key(node, node.op_type)) in functions}


def _key(made: onnx.NodeProto | onnx.FunctionProto, name: str) -> _Key:
    return made.domain, name, made.overload
