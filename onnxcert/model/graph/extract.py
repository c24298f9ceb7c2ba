"""Extraction of a subgraph, from an inner input to an inner output."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

# `onnx.utils.Extractor` drops nodes that only a branch of an If or Loop reads, and takes no inner
# value without a declared shape as output.


def extract_subgraph(
    model: onnx.ModelProto,
    output: onnx.ValueInfoProto,
    *,
    start: onnx.ValueInfoProto | None = None,
) -> onnx.ModelProto:
    """Return a copy of `model` with only the nodes that `output` depends on.

    Args:
        model: the model.
        output: the only output of the copy; any value of the graph.
        start: a value that becomes an input; the nodes before it are dropped.
    """
    part = onnx.ModelProto()
    part.CopyFrom(model)
    given = set() if start is None else {start.name}
    wanted, kept = {output.name}, []
    for node in reversed(model.graph.node):  # nodes are in topological order
        if wanted & ({*node.output} - given):
            kept.append(node)
            wanted.update(_read(node))
    inputs = [i for i in model.graph.input if i.name in wanted - given]
    del part.graph.node[:], part.graph.input[:], part.graph.output[:]
    part.graph.node.extend(reversed(kept))
    part.graph.input.extend([*([start] if start is not None else []), *inputs])
    part.graph.output.append(output)
    constants = [i for i in model.graph.initializer if i.name in wanted]
    del part.graph.initializer[:]
    part.graph.initializer.extend(constants)
    return part


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names of the values that a node reads, in its subgraphs, too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _read(inner)
            yield from (output.name for output in graph.output)
