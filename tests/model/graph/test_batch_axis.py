"""The lint follows the axis of the batch: what works along it is found, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import graphs
import leaky
import numpy as np
import onnx
import pytest

from onnxcert import OnnxSegmenter
from onnxcert.model.graph.lint import lint

Steps = list[str]
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


def of(steps: Steps) -> onnx.ModelProto:
    nodes = "\n".join(steps)
    constants = {name: NUMBERS[name] for name in re.findall(r"\w+", nodes) if name in NUMBERS}
    return graphs.model(f"(float[batch, 3, 8, 8] x) => (float[] y) {{ {nodes} }}", **constants)


FLAT: Steps = ["f = Flatten(x)"]
LAST: Steps = ["t = Transpose<perm = [1, 2, 3, 0]>(x)"]
TOKENS: Steps = [
    "r = Reshape(x, rows_first)",
    "rt = Transpose<perm = [0, 2, 1]>(r)",
]
BY_SHAPE: Steps = [
    "s = Shape(x)",
    "b = Gather<axis = 0>(s, n0)",
    "target = Concat<axis = 0>(n3, b, n64)",
]


def picked(
    first: str = "axis0", length: str = "axis1", starts: str = "m", data: str = "d"
) -> Steps:
    """For each column of each row the number of its largest entry, taken from a table of all."""
    return [
        "r = Reshape(x, rows_first)",
        "i = ArgMax<axis = 1, keepdims = 0>(r)",
        "s = Shape(r)",
        "b = Gather<axis = 0>(s, axis0)",
        f"many = Gather<axis = 0>(s, {length})",
        f"g = Range({first}, b, axis1)",
        "m = Mul(g, many)",
        f"c = Reshape({starts}, column)",
        "a = Add(i, c)",
        "p = Reshape(a, minus)",
        "d = Reshape(r, flat)",
        f"y = Gather<axis = 0>({data}, p)",
    ]


LEAK_WARNING: dict[str, Steps] = {
    "mean over the batch": ["y = ReduceMean<axes = [0], keepdims = 1>(x)"],
    "largest of all": ["y = ReduceMax<keepdims = 1>(x)"],
    "sum by an input": ["y = ReduceSum(x, axes)"],
    "counted from the back": ["y = ReduceMean<axes = [-4]>(x)"],
    "softmax over the batch": ["y = Softmax<axis = 0>(x)"],
    "softmax after transposition": [*LAST, "y = Softmax<axis = 3>(t)"],
    "softmax over the last axis after that": [*LAST, "y = Softmax(t)"],
    "argmax": ["y = ArgMax<axis = 0>(x)"],
    "argmin": ["y = ArgMin<axis = -4>(x)"],
    "top k": ["y, i = TopK<axis = 0>(x, n1)"],
    "running sum": ["y = CumSum(x, axis0)"],
    "first row": ["y = Slice(x, n0, n1, n0)"],
    "first row without axes": ["y = Slice(x, n0, n1)"],
    "rows behind": ["y = Slice(x, n1, last, n0)"],
    "turned round": ["y = Slice(x, minus, n0, n0, minus)"],
    "picked row": ["y = Gather<axis = 0>(x, axis0)"],
    "picked points of any row": [
        "r = Reshape(x, rows_first)",
        "i = ArgMax<axis = 1, keepdims = 0>(r)",
        "p = Reshape(i, minus)",
        "d = Reshape(r, flat)",
        "y = Gather<axis = 0>(d, p)",
    ],
    "picked points of the next row": picked(first="axis1"),
    "picked points by another length": picked(length="axis2"),
    "picked points by the row alone": picked(starts="g"),
    "picked rows": picked(data="r"),
    "pairs": [*FLAT, "ft = Transpose(f)", "y = MatMul(f, ft)"],
    "pairs by Gemm": [*FLAT, "y = Gemm<transB = 1>(f, f)"],
    "summed by MatMul": [*FLAT, "ft = Transpose(f)", "y = MatMul(ft, f)"],
    "summed by Gemm": [*FLAT, "y = Gemm<transA = 1>(f, f)"],
    "pairs by broadcasting": [
        "u = Unsqueeze(x, n0)",
        "v = Unsqueeze(x, n1)",
        "y = Sub(u, v)",
    ],
    "expanded to pairs": [
        "s = Shape(x)",
        "ns = Concat<axis = 0>(n1, s)",
        "b = Gather<axis = 0>(s, n0)",
        "target = Concat<axis = 0>(b, s)",
        "y = Expand(x, target)",
    ],
    "after Reshape": ["r = Reshape(x, rows_first)", "y = ReduceMax<axes = [0]>(r)"],
    "after copied lengths": ["r = Reshape(x, copied)", "y = Softmax<axis = 0>(r)"],
    "merged with channels": [
        "r = Reshape(x, flat)",
        "y = Softmax<axis = 0>(r)",
    ],
    "to another place by a shape": [
        *BY_SHAPE,
        "t = Transpose<perm = [1, 0, 2, 3]>(x)",
        "r = Reshape(t, target)",
        "y = ReduceMean<axes = [1]>(r)",
    ],
    "layer norm over the rows": [*LAST, "y = LayerNormalization<axis = -1>(t, square)"],
    "einsum": [*FLAT, 'y = Einsum<equation = "bi,bj->ij">(f, f)'],
    "pairs by einsum": [*FLAT, 'y = Einsum<equation = "bi,ci->bc">(f, f)'],
    "through an operator that keeps axes": [
        "s = Sigmoid(x)",
        "c = Clip(s)",
        "y = ReduceSum(c, n0)",
    ],
}
SOUND: dict[str, Steps] = {
    "mean over space": ["y = ReduceMean<axes = [2, 3]>(x)"],
    "softmax over channels": ["y = Softmax<axis = 1>(x)"],
    "argmax of channels": ["y = ArgMax<axis = 1, keepdims = 0>(x)"],
    "top k of columns": ["y, i = TopK(x, n1)"],
    "running sum along channels": ["y = CumSum(x, axis1)"],
    "all rows": ["y = Slice(x, n0, last, n0)"],
    "some channels": ["y = Slice(x, n0, n1, n1)"],
    "a channel": ["y = Gather<axis = 1>(x, axis1)"],
    "picked points of the row itself": picked(),
    "a dense layer": [*FLAT, "y = Gemm(f, wide)"],
    "a table": ["i = ArgMax<axis = 1>(x)", "y = Gather<axis = 0>(table, i)"],
    "attention": [
        *TOKENS,
        "a = MatMul(rt, r)",
        "p = Softmax<axis = -1>(a)",
        "y = MatMul(p, rt)",
    ],
    "windows": [
        "w = Reshape(x, windows)",
        "wt = Transpose<perm = [0, 2, 4, 3, 5, 1]>(w)",
        "k = Reshape(wt, tokens)",
        "kt = Transpose<perm = [0, 2, 1]>(k)",
        "a = MatMul(k, kt)",
        "y = Softmax<axis = -1>(a)",
    ],
    "shape arithmetic": [
        "s = Shape(x)",
        "rows = Slice(s, n0, n1, n0)",
        "b = Gather<axis = 0>(s, n0)",
        "p = ReduceProd<keepdims = 1>(s)",
        "target = Concat<axis = 0>(b, minus)",
        "r = Reshape(x, target)",
        "y = Softmax<axis = 1>(r)",
    ],
    "one constant row for all": [
        "s = Shape(x)",
        "e = Expand(one_row, s)",
        "y = Add(x, e)",
    ],
    "channels last": [
        "t = Transpose<perm = [0, 2, 3, 1]>(x)",
        "y = LayerNormalization<axis = -1>(t, three)",
    ],
    "pairs of points": [
        *TOKENS,
        "u = Unsqueeze(rt, n1)",
        "v = Unsqueeze(rt, n2)",
        "d = Sub(u, v)",
        "y = ReduceSum(d, minus)",
    ],
    "einsum of attention": [*TOKENS, 'y = Einsum<equation = "bnc,bmc->bnm">(rt, rt)'],
    "the batch taken away": [
        "q = Squeeze(one, n0)",
        "y = ReduceMax<axes = [0]>(q)",
    ],
}
NUMBERS |= {"wide": np.ones((192, 2), np.float32), "three": np.ones(3, np.float32)}


@pytest.mark.parametrize("name", LEAK_WARNING)
def test_what_works_along_the_batch_is_found(name: str) -> None:
    proto = of(LEAK_WARNING[name])
    (finding,) = [f for f in lint(proto) if f.mixes]
    assert finding.severity == "warning"
    last = proto.graph.node[-1]
    assert finding.node == f"'{last.name}' ({last.op_type})"
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
    proto = graphs.model(
        f"({graphs.IMAGES} x) => (float[batch, 2, height, width] y)"
        " { r = Reshape(x, baked) y = Conv(r, w) }",
        baked=[1, 3, 8, 8],
        w=np.ones((2, 3, 1, 1)),
    )
    assert lint(proto) == ()


def test_nodes_that_no_runtime_would_take_end_in_no_surprise() -> None:
    for kind in ("Reshape", "Slice", "Gather", "MatMul", "TopK", "Einsum", "Expand", "Transpose"):
        assert not [f for f in lint(of([f"y = {kind}(x)"])) if f.severity == "error"]
