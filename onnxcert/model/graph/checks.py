"""Refuse graphs that cannot be traced: too many nodes, cycles, names that are not text.

Nodes are counted without inlining functions: if each of forty functions calls the previous one
twice, a file of 4 kB has 2^40 nodes. The code that traces a graph would not end on a cycle, and it
compares names as text.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import onnx
from google.protobuf.message import Message

from onnxcert.errors import ModelError
from onnxcert.model.graph.tracing import within

# Nodes. The time to create an ONNX Runtime session grows with their square: about two minutes here.
MOST: Final = 20_000

_Key = tuple[str, str, str]


def refuse_untraceable(proto: onnx.ModelProto, path: Path) -> None:
    """Raise ModelError if a model has over `MOST` nodes, a cycle or a name that is not text."""
    if not _is_text(proto):
        raise ModelError(
            f"{path} is damaged: it has names that are not UTF-8 text; copy or export it again."
        )
    _refuse_too_many(proto, path)
    graphs = [g for f in proto.functions for g in _graphs(f.node)] + _graphs(proto.graph.node)
    for nodes in graphs:
        order: TopologicalSorter[str] = TopologicalSorter()
        for node in nodes:
            read = [name for each in within([node]) for name in each.input if name]
            for name in filter(None, node.output):
                order.add(name, *read)
        try:
            order.prepare()
        except CycleError:
            raise ModelError(
                f"{path} has a value that is computed from itself, which ONNX does not allow; "
                "export it again."
            ) from None


def _graphs(nodes: Iterable[onnx.NodeProto]) -> list[Iterable[onnx.NodeProto]]:
    """Return the nodes of a graph, and those of each of its subgraphs."""
    inner = (g for node in within(nodes) for a in node.attribute for g in (a.g, *a.graphs))
    return [nodes, *(g.node for g in inner)]


def _is_text(message: Message) -> bool:
    """Return whether all text in a message is UTF-8; protobuf returns bytes if it is not."""
    for field, value in message.ListFields():
        if field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
            continue
        for one in (value,) if isinstance(value, str | bytes | Message) else value:
            if isinstance(one, bytes) or (isinstance(one, Message) and not _is_text(one)):
                return False
    return True


def _refuse_too_many(proto: onnx.ModelProto, path: Path) -> None:
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
        written = ", with its functions inlined," if functions else ""
        shown = f"{count:,}" if count < 10**12 else "over 10^12"
        raise ModelError(
            f"{path} has {shown} nodes{written} but at most {MOST:,} are read; export it with "
            "larger operators."
        )


def _size(nodes: Iterable[onnx.NodeProto], sizes: dict[_Key, int]) -> int:
    return sum(sizes.get(_key(node, node.op_type), 1) for node in within(nodes))


def _calls(nodes: Iterable[onnx.NodeProto], functions: dict[_Key, onnx.FunctionProto]) -> set[_Key]:
    return {key for node in within(nodes) if (key := _key(node, node.op_type)) in functions}


def _key(item: onnx.NodeProto | onnx.FunctionProto, name: str) -> _Key:
    return item.domain, name, item.overload
