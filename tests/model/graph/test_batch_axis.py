"""The lint follows the axis of the batch: what works along it is found, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import leaky
import numpy as np
import onnx
import pytest

from onnxcert import OnnxSegmenter
from onnxcert.model.graph.lint import lint

Steps = list[tuple[str, str, str, dict[str, Any]]]
PICTURE = ["batch", 3, 8, 8]
NUMBERS = {
    **{f"n{v}": np.array([v]) for v in (0, 1, 2, 3, 64)},
    "minus": np.array([-1]),
    "last": np.array([2**31 - 1]),
    "axis0": np.array(0),
    "axis1": np.array(1),
    "axis2": np.array(2),
    "axes": np.array([0, 1]),
    "spatial": np.array([2, 3]),
    "rows_first": np.array([-1, 3, 64]),
    "copied": np.array([0, 0, -1]),
    "flat": np.array([-1, 64]),
    "column": np.array([-1, 1]),
    "windows": np.array([-1, 3, 2, 4, 2, 4]),
    "tokens": np.array([-1, 16, 3]),
    "square": np.eye(64, dtype=np.float32),
    "table": np.ones((64, 3), np.float32),
    "one_row": np.ones((1, 3, 8, 8), np.float32),
}


def of(steps: Steps, out: str = "y", shape: Any = None) -> onnx.ModelProto:
    used = {name for _, ins, _, _ in steps for name in ins.split()}
    nodes = [graphs.node(kind, ins, outs, **more) for kind, ins, outs, more in steps]
    return graphs.model(
        nodes,
        inputs={"x": PICTURE},
        outputs={out: shape},
        constants={name: value for name, value in NUMBERS.items() if name in used},
    )


FLAT: Steps = [("Flatten", "x", "f", {})]
LAST: Steps = [("Transpose", "x", "t", {"perm": [1, 2, 3, 0]})]
TOKENS: Steps = [
    ("Reshape", "x rows_first", "r", {}),
    ("Transpose", "r", "rt", {"perm": [0, 2, 1]}),
]
BY_SHAPE: Steps = [
    ("Shape", "x", "s", {}),
    ("Gather", "s n0", "b", {"axis": 0}),
    ("Concat", "n3 b n64", "target", {"axis": 0}),
]


def picked(
    first: str = "axis0", length: str = "axis1", starts: str = "m", data: str = "d"
) -> Steps:
    """For each column of each row the number of its largest entry, taken from a table of all."""
    return [
        ("Reshape", "x rows_first", "r", {}),
        ("ArgMax", "r", "i", {"axis": 1, "keepdims": 0}),
        ("Shape", "r", "s", {}),
        ("Gather", "s axis0", "b", {"axis": 0}),
        ("Gather", f"s {length}", "many", {"axis": 0}),
        ("Range", f"{first} b axis1", "g", {}),
        ("Mul", "g many", "m", {}),
        ("Reshape", f"{starts} column", "c", {}),
        ("Add", "i c", "a", {}),
        ("Reshape", "a minus", "p", {}),
        ("Reshape", "r flat", "d", {}),
        ("Gather", f"{data} p", "y", {"axis": 0}),
    ]


LEAK_WARNING: dict[str, Steps] = {
    "mean over the batch": [("ReduceMean", "x", "y", {"axes": [0], "keepdims": 1})],
    "largest of all": [("ReduceMax", "x", "y", {"keepdims": 1})],
    "sum by an input": [("ReduceSum", "x axes", "y", {})],
    "counted from the back": [("ReduceMean", "x", "y", {"axes": [-4]})],
    "softmax over the batch": [("Softmax", "x", "y", {"axis": 0})],
    "softmax after transposition": [*LAST, ("Softmax", "t", "y", {"axis": 3})],
    "softmax over the last axis after that": [*LAST, ("Softmax", "t", "y", {})],
    "argmax": [("ArgMax", "x", "y", {"axis": 0})],
    "argmin": [("ArgMin", "x", "y", {"axis": -4})],
    "top k": [("TopK", "x n1", "y i", {"axis": 0})],
    "running sum": [("CumSum", "x axis0", "y", {})],
    "first row": [("Slice", "x n0 n1 n0", "y", {})],
    "first row without axes": [("Slice", "x n0 n1", "y", {})],
    "rows behind": [("Slice", "x n1 last n0", "y", {})],
    "turned round": [("Slice", "x minus n0 n0 minus", "y", {})],
    "picked row": [("Gather", "x axis0", "y", {"axis": 0})],
    "picked points of any row": [
        ("Reshape", "x rows_first", "r", {}),
        ("ArgMax", "r", "i", {"axis": 1, "keepdims": 0}),
        ("Reshape", "i minus", "p", {}),
        ("Reshape", "r flat", "d", {}),
        ("Gather", "d p", "y", {"axis": 0}),
    ],
    "picked points of the next row": picked(first="axis1"),
    "picked points by another length": picked(length="axis2"),
    "picked points by the row alone": picked(starts="g"),
    "picked rows": picked(data="r"),
    "pairs": [*FLAT, ("Transpose", "f", "ft", {}), ("MatMul", "f ft", "y", {})],
    "pairs by Gemm": [*FLAT, ("Gemm", "f f", "y", {"transB": 1})],
    "summed by MatMul": [*FLAT, ("Transpose", "f", "ft", {}), ("MatMul", "ft f", "y", {})],
    "summed by Gemm": [*FLAT, ("Gemm", "f f", "y", {"transA": 1})],
    "pairs by broadcasting": [
        ("Unsqueeze", "x n0", "u", {}),
        ("Unsqueeze", "x n1", "v", {}),
        ("Sub", "u v", "y", {}),
    ],
    "expanded to pairs": [
        ("Shape", "x", "s", {}),
        ("Concat", "n1 s", "ns", {"axis": 0}),
        ("Gather", "s n0", "b", {"axis": 0}),
        ("Concat", "b s", "target", {"axis": 0}),
        ("Expand", "x target", "y", {}),
    ],
    "after Reshape": [("Reshape", "x rows_first", "r", {}), ("ReduceMax", "r", "y", {"axes": [0]})],
    "after copied lengths": [("Reshape", "x copied", "r", {}), ("Softmax", "r", "y", {"axis": 0})],
    "merged with channels": [
        ("Reshape", "x flat", "r", {}),
        ("Softmax", "r", "y", {"axis": 0}),
    ],
    "to another place by a shape": [
        *BY_SHAPE,
        ("Transpose", "x", "t", {"perm": [1, 0, 2, 3]}),
        ("Reshape", "t target", "r", {}),
        ("ReduceMean", "r", "y", {"axes": [1]}),
    ],
    "layer norm over the rows": [*LAST, ("LayerNormalization", "t square", "y", {"axis": -1})],
    "einsum": [*FLAT, ("Einsum", "f f", "y", {"equation": "bi,bj->ij"})],
    "pairs by einsum": [*FLAT, ("Einsum", "f f", "y", {"equation": "bi,ci->bc"})],
    "through an operator that keeps axes": [
        ("Sigmoid", "x", "s", {}),
        ("Clip", "s", "c", {}),
        ("ReduceSum", "c n0", "y", {}),
    ],
}
SOUND: dict[str, Steps] = {
    "mean over space": [("ReduceMean", "x", "y", {"axes": [2, 3]})],
    "softmax over channels": [("Softmax", "x", "y", {"axis": 1})],
    "argmax of channels": [("ArgMax", "x", "y", {"axis": 1, "keepdims": 0})],
    "top k of columns": [("TopK", "x n1", "y i", {})],
    "running sum along channels": [("CumSum", "x axis1", "y", {})],
    "all rows": [("Slice", "x n0 last n0", "y", {})],
    "some channels": [("Slice", "x n0 n1 n1", "y", {})],
    "a channel": [("Gather", "x axis1", "y", {"axis": 1})],
    "picked points of the row itself": picked(),
    "a dense layer": [*FLAT, ("Gemm", "f wide", "y", {})],
    "a table": [("ArgMax", "x", "i", {"axis": 1}), ("Gather", "table i", "y", {"axis": 0})],
    "attention": [
        *TOKENS,
        ("MatMul", "rt r", "a", {}),
        ("Softmax", "a", "p", {"axis": -1}),
        ("MatMul", "p rt", "y", {}),
    ],
    "windows": [
        ("Reshape", "x windows", "w", {}),
        ("Transpose", "w", "wt", {"perm": [0, 2, 4, 3, 5, 1]}),
        ("Reshape", "wt tokens", "k", {}),
        ("Transpose", "k", "kt", {"perm": [0, 2, 1]}),
        ("MatMul", "k kt", "a", {}),
        ("Softmax", "a", "y", {"axis": -1}),
    ],
    "shape arithmetic": [
        ("Shape", "x", "s", {}),
        ("Slice", "s n0 n1 n0", "rows", {}),
        ("Gather", "s n0", "b", {"axis": 0}),
        ("ReduceProd", "s", "p", {"keepdims": 1}),
        ("Concat", "b minus", "target", {"axis": 0}),
        ("Reshape", "x target", "r", {}),
        ("Softmax", "r", "y", {"axis": 1}),
    ],
    "one constant row for all": [
        ("Shape", "x", "s", {}),
        ("Expand", "one_row s", "e", {}),
        ("Add", "x e", "y", {}),
    ],
    "channels last": [
        ("Transpose", "x", "t", {"perm": [0, 2, 3, 1]}),
        ("LayerNormalization", "t three", "y", {"axis": -1}),
    ],
    "pairs of points": [
        *TOKENS,
        ("Unsqueeze", "rt n1", "u", {}),
        ("Unsqueeze", "rt n2", "v", {}),
        ("Sub", "u v", "d", {}),
        ("ReduceSum", "d minus", "y", {}),
    ],
    "einsum of attention": [*TOKENS, ("Einsum", "rt rt", "y", {"equation": "bnc,bmc->bnm"})],
    "the batch taken away": [
        ("Squeeze", "one n0", "q", {}),
        ("ReduceMax", "q", "y", {"axes": [0]}),
    ],
}
NUMBERS |= {"wide": np.ones((192, 2), np.float32), "three": np.ones(3, np.float32)}


@pytest.mark.parametrize("name", LEAK_WARNING)
def test_what_works_along_the_batch_is_found(name: str) -> None:
    proto = of(LEAK_WARNING[name])
    (finding,) = [f for f in lint(proto) if f.mixes]
    assert finding.severity == "warning"
    assert finding.node == f"'the_{LEAK_WARNING[name][-1][0]}' ({LEAK_WARNING[name][-1][0]})"
    assert "along the axis of the batch" in finding.message


@pytest.mark.parametrize("name", SOUND)
def test_what_works_on_each_row_by_itself_is_not(name: str) -> None:
    proto = of(SOUND[name])
    if name == "the batch taken away":
        proto.graph.input[0].name = "one"
        proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    assert lint(proto) == ()


def test_a_finding_means_one_draw_a_pass_from_the_start(tmp_path: Path) -> None:
    path = graphs.save(leaky.of_dark_pictures(), tmp_path / "model.onnx")
    segment = OnnxSegmenter.open(path, threads=1)
    assert segment.mixes_draws
    assert "'the_Slice' (Slice)" in [f.node for f in segment.findings]


def test_a_fixed_number_of_rows_in_a_reshape_is_no_leak() -> None:
    steps: Steps = [("Reshape", "x baked", "r", {}), ("Conv", "r w", "y", {})]
    proto = graphs.model(
        [graphs.node(kind, ins, outs, **more) for kind, ins, outs, more in steps],
        inputs={"x": ["batch", 3, "height", "width"]},
        outputs={"y": ["batch", 2, "height", "width"]},
        constants={"baked": np.array([1, 3, 8, 8]), "w": np.ones((2, 3, 1, 1), np.float32)},
    )
    assert lint(proto) == ()


def test_nodes_that_no_runtime_would_take_end_in_no_surprise() -> None:
    for kind in ("Reshape", "Slice", "Gather", "MatMul", "TopK", "Einsum", "Expand", "Transpose"):
        assert not [f for f in lint(of([(kind, "x", "y", {})])) if f.severity == "error"]
