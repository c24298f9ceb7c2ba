"""Graphs that ask for more than there is: refused with the number, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from onnx import helper

from onnxcert import OnnxSegmenter
from onnxcert.errors import ModelError
from onnxcert.model.graph import checks as graph_checks
from onnxcert.model.graph.file import read_model
from onnxcert.model.graph.tracing import without_weights
from onnxcert.model.runtime import pass_memory
from onnxcert.model.runtime.machine import HostMemory
from onnxcert.model.runtime.pass_memory import pass_bytes

FREE = ["batch", 3, "height", "width"]
PICTURE = np.zeros((1, 3, 6, 8), np.float32)
MANY = 10**12  # values that no machine holds, so that whoever asks for them fails at once


def made(*lines: str, constants: Mapping[str, Any], **options: Any) -> onnx.ModelProto:
    """A model from `image` to `scores` of nodes written as `Operator inputs > output`."""
    nodes = []
    for i, line in enumerate(lines):
        left, output = line.split(" > ")
        operator, *inputs = left.split(" ")
        names = ["" if name == "-" else name for name in inputs]
        nodes.append(helper.make_node(operator, names, [output], name=f"node_{i}"))
    arrays = {name: np.asarray(value) for name, value in constants.items()}
    return graphs.model(
        nodes,
        inputs={"image": FREE},
        outputs={"scores": FREE},
        constants=arrays,
        contract=graphs.UNIT_RANGE,
        **options,
    )


ADDED = ("ReduceMax big > most", "Add image most > scores")
ZERO, ONE = np.zeros(1, np.float32), np.float32(1)
FAR = np.array([1, 1, 10**6, 10**6])
BLOW_UPS: Mapping[str, onnx.ModelProto] = {
    "ConstantOfShape": made("ConstantOfShape n > big", *ADDED, constants={"n": [MANY]}),
    "Expand": made("Expand z n > big", *ADDED, constants={"z": ZERO, "n": [MANY]}),
    "Range": made(
        "Range z n one > big",
        *ADDED,
        constants={"z": np.float32(0), "n": np.float32(MANY), "one": ONE},
    ),
    "Tile": made("Tile image n > big", *ADDED, constants={"n": FAR}),
    "Pad": made("Pad image n > big", *ADDED, constants={"n": [0, 0, 0, 0, 0, 0, 10**6, 10**6]}),
    "Resize": made("Resize image - n > big", *ADDED, constants={"n": FAR.astype(np.float32)}),
    "a computed shape": made(
        "Shape image > now",
        "Mul now n > far",
        "Expand z far > big",
        *ADDED,
        constants={"n": FAR, "z": ZERO},
    ),
    "a fixed product": made(
        "Reshape image column > a",
        "Tile a n > b",
        "Reshape b row > c",
        "Mul b c > big",
        *ADDED,
        constants={"column": [-1, 1], "row": [1, -1], "n": [10**4, 1]},
    ),
}

CONSTANT = ("ConstantOfShape", "Expand", "Range", "in a function")  # computed with the session


def in_a_function() -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 17)]
    proto = graphs.conv(
        contract=graphs.UNIT_RANGE,
        tail=[helper.make_node("Far", ["raw", "n"], ["scores"], domain="local")],
        constants={"n": np.array([MANY])},
    )
    proto.opset_import.append(helper.make_opsetid("local", 1))
    nodes = [
        helper.make_node("ConstantOfShape", ["n"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["y"]),
    ]
    proto.functions.append(helper.make_function("local", "Far", ["x", "n"], ["y"], nodes, opsets))
    return proto


def opened_and_run(path: Path, *, runs: bool) -> None:
    segment = OnnxSegmenter.open(path, threads=1)
    assert runs, "ONNX Runtime has computed it by now"
    segment(PICTURE)


@pytest.mark.parametrize("name", [*BLOW_UPS, "in a function"])
def test_what_no_memory_holds_is_refused_with_the_number(name: str, tmp_path: Path) -> None:
    proto = BLOW_UPS.get(name) or in_a_function()
    path = graphs.save(proto, tmp_path / "model.onnx")
    with pytest.raises(
        ModelError, match=r"needs at least [\d,]{3,}\.\d GiB of memory.* are free; "
    ) as e:
        opened_and_run(path, runs=name not in CONSTANT)
    assert str(path) in str(e.value)
    assert "\n" not in str(e.value)


# -- what fits is let run ------------------------------------------------------------------------


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One number: the bytes that the machine says are free."""
    said = [0]
    monkeypatch.setattr(pass_memory, "_ALWAYS", 0)
    monkeypatch.setattr(HostMemory, "free", lambda _: said[0])
    return said


def need(proto: onnx.ModelProto, picture: Any = PICTURE) -> int:
    return pass_bytes(without_weights(proto), {"image": picture}, {"image"})


def test_a_long_chain_needs_no_more_than_a_short_one() -> None:
    size = PICTURE.nbytes
    chain = [f"Relu v{i} > v{i + 1}" for i in range(50)]
    first, last = "Conv image w > v0", "Conv v50 w > scores"
    weights = {"w": np.ones((3, 3, 1, 1), np.float32)}
    assert need(made(first, *chain, last, constants=weights)) == 2 * size
    views = ["Reshape v0 flat > f", "Reshape f full > v50"]
    shapes = {"flat": [1, -1], "full": [1, 3, 6, 8]}
    # The few numbers of the shapes may count or not.
    assert need(made(first, *views, last, constants=weights | shapes)) <= 2 * size + 64
    kept = [*chain[:1], "Add v0 v1 > v50"]  # v0 is read again, so Relu cannot write over it
    assert need(made(first, *kept, last, constants=weights)) == 2 * size


def test_what_is_read_again_is_held_beside_what_is_made_of_it() -> None:
    size = PICTURE.nbytes
    proto = made(
        "Conv image w > v",
        "Reshape v flat > seen",
        "Relu seen > other",  # must not write over v, of which it sees the memory
        "Reshape other full > u",
        "Concat v u u > wide",
        "Conv wide w3 > scores",
        constants={
            "w": np.ones((3, 3, 1, 1), np.float32),
            "w3": np.ones((3, 9, 1, 1), np.float32),
            "flat": [1, -1],
            "full": [1, 3, 6, 8],
        },
    )
    proto.graph.node[4].attribute.append(helper.make_attribute("axis", 1))
    assert 5 * size <= need(proto) <= 5 * size + 64


def test_a_pass_is_refused_where_it_does_not_fit_and_only_there(
    free: list[int], tmp_path: Path
) -> None:
    path = graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    free[0] = 2**30
    segment = OnnxSegmenter.open(path, threads=1)
    few, many = np.repeat(PICTURE, 2, axis=0), np.repeat(PICTURE, 200, axis=0)
    labels = segment(few)
    free[0] = 50 * PICTURE.nbytes
    with pytest.raises(ModelError, match=r"for a pass over \[200, 3, 6, 8\]"):
        segment(many)
    assert np.array_equal(segment(few), labels)
    free[0] = 2**30
    assert np.array_equal(segment(many)[:2], labels)
    # What it holds already is there for its own passes of other sizes.
    free[0] = 0
    assert np.array_equal(segment(many[:150])[:2], labels)
    more = np.repeat(PICTURE, 250, axis=0)
    free[0] = 200 * PICTURE.nbytes
    assert np.array_equal(segment(more)[:2], labels)


def test_no_more_passes_run_at_once_than_there_is_room_for(free: list[int], tmp_path: Path) -> None:
    path = graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    wide = np.zeros((1, 3, 60, 80), np.float32)
    free[0] = 2**30
    assert at_once(path, wide) == at_once(path, PICTURE) == 6
    free[0] = 6 * wide.nbytes
    assert 1 < at_once(path, wide) < 6
    assert at_once(path, PICTURE) == 6


def at_once(path: Path, batch: Any) -> int:
    segment = OnnxSegmenter.open(path, threads=6)
    segment(batch)
    return segment.at_once


def test_nobody_is_refused_where_nothing_is_known_of_the_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pass_memory, "_ALWAYS", 0)
    monkeypatch.setattr(HostMemory, "free", lambda _: None)
    path = graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    OnnxSegmenter.open(path, threads=1)(PICTURE)


def test_the_numbers_of_long_rows_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shape inference would keep each of them, in 70 bytes of the memory that is to be spared."""
    detect = onnx.shape_inference.infer_shapes
    followed: list[onnx.ModelProto] = []

    def spied(model: onnx.ModelProto, **options: Any) -> onnx.ModelProto:
        if options.get("data_prop"):
            followed.append(model)
        return detect(model, **options)

    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", spied)
    double = [f"Concat r{i} r{i} > r{i + 1}" for i in range(20)]
    proto = made(
        # A row that is long, one whose length is known by the second round alone, and weights.
        *("Expand z n > long1", "Mul n two > k", "Expand z k > long2"),
        *(f"Gather long{i} z > picked{i}" for i in (1, 2, 3)),
        *(f"Slice long{i} z n > cut{i}" for i in (1, 2, 3)),
        *(f"Mul long{i} long{i} > long{i}x" for i in (1, 2, 3)),
        *("Cast image > r", "Shape image > r0"),
        *double,
        *(f"ReduceMax long{i}x > most{i}" for i in (1, 2, 3)),
        *("Add image most1 > a", "Add a most2 > b", "Add b most3 > scores"),
        constants={
            **{"z": np.zeros(1, np.int64), "n": [10**6], "two": [2]},
            "long3": np.zeros(5000, np.int64),
        },
    )
    for node in proto.graph.node:
        if node.op_type == "Concat":
            node.attribute.append(helper.make_attribute("axis", 0))
        if node.op_type == "Cast":
            node.attribute.append(helper.make_attribute("to", onnx.TensorProto.FLOAT16))
    assert need(proto) > 2 * 8 * 2 * 10**6, "the row whose length is computed is counted"
    assert len(followed) > 1
    for model in followed:
        lengths = [4 * 2 ** int(n.output[0][1:]) for n in model.graph.node if n.op_type == "Concat"]
        assert max(lengths) <= 4096
        for node in model.graph.node:
            long = any(name.startswith("long") for name in node.input)
            assert not long or node.op_type in ("Div", "ReduceMax"), node


# -- as many nodes as anybody wants --------------------------------------------------------------


def calling(body: Mapping[str, list[str]]) -> onnx.ModelProto:
    """Functions that call each other, one node for each name; the graph calls the last one."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    *_, last = body
    proto = graphs.conv(
        contract=graphs.UNIT_RANGE,
        tail=[helper.make_node(last, ["raw"], ["scores"], domain="local")],
    )
    proto.opset_import.append(opsets[1])
    for name, called in body.items():
        values = ["x", *(f"v{i}" for i in range(len(called) - 1)), "y"]
        nodes = [
            helper.make_node(op, [values[i]], [values[i + 1]], domain="local" if op in body else "")
            for i, op in enumerate(called)
        ]
        proto.functions.append(helper.make_function("local", name, ["x"], ["y"], nodes, opsets))
    return proto


def test_functions_that_double_are_refused_unwritten(tmp_path: Path) -> None:
    doubling = {"f0": ["Relu"]} | {f"f{i}": [f"f{i - 1}"] * 2 for i in range(1, 60)}
    path = graphs.save(calling(doubling), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"over 10\^12 nodes, with its functions inlined"):
        read_model(path)
    graphs.save(calling({"f": ["Relu", "g"], "g": ["f"]}), path)
    with pytest.raises(ModelError, match="calls itself"):
        read_model(path)


def test_nodes_are_counted_in_branches_and_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    few = {"f0": ["Relu", "Abs"], "f1": ["f0", "f0", "f0"]}
    for proto, nodes in ((calling(few), 1 + 6), (graphs.random_in_a_branch(), 1 + 1 + 2)):
        graphs.save(proto, path)
        monkeypatch.setattr(graph_checks, "MOST", nodes)
        read_model(path)
        monkeypatch.setattr(graph_checks, "MOST", nodes - 1)
        with pytest.raises(ModelError, match=f"has {nodes} nodes"):
            read_model(path)


# -- graphs that nobody can follow ----------------------------------------------------------------


def test_a_value_computed_from_itself_is_refused(tmp_path: Path, onnxcert: Any) -> None:
    for name, nodes in {
        "cycle": ("Tanh b > a", "Relu a > b", "Add image b > scores"),
        "nameless": ("Tanh image > a", "Relu - > -", "Add image a > scores"),
    }.items():
        path = graphs.save(made(*nodes, constants={}), tmp_path / f"{name}.onnx")
        outcome = onnxcert("inspect", path)
        assert outcome.status == 2
        assert outcome.err.count("\n") == 1
        assert ("computed from itself" in outcome.err) == (name == "cycle")


@pytest.mark.parametrize("text", [b"Conv", b"scores"])
def test_names_that_are_no_text_are_refused(text: bytes, tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes().replace(text, b"\xed" + text[1:]))
    outcome = onnxcert("inspect", path)
    assert outcome.status == 2
    assert "names that are not UTF-8 text" in outcome.err
