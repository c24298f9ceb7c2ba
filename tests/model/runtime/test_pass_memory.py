"""Graphs that ask for more than there is: refused with the number, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest

from onnxcert import OnnxSegmenter
from onnxcert.errors import ModelError
from onnxcert.model.graph import checks as graph_checks
from onnxcert.model.graph.file import read_model
from onnxcert.model.graph.tracing import without_weights
from onnxcert.model.runtime import pass_memory
from onnxcert.model.runtime.machine import HostMemory
from onnxcert.model.runtime.pass_memory import pass_bytes

PICTURE = np.zeros((1, 3, 6, 8), np.float32)
MANY = 10**12  # values that no machine holds, so that whoever asks for them fails at once


def made(*nodes: str, **constants: Any) -> onnx.ModelProto:
    """A model of these nodes from `image` to `scores`."""
    text = f"({graphs.IMAGES} image) => ({graphs.IMAGES} scores) {{ {' '.join(nodes)} }}"
    return graphs.model(text, graphs.UNIT_RANGE, **constants)


ADDED = ("most = ReduceMax(big)", "scores = Add(image, most)")
ZERO, ONE = np.zeros(1, np.float32), np.float32(1)
FAR = np.array([1, 1, 10**6, 10**6])
BLOW_UPS: Mapping[str, onnx.ModelProto] = {
    "ConstantOfShape": made("big = ConstantOfShape(n)", *ADDED, n=[MANY]),
    "Expand": made("big = Expand(z, n)", *ADDED, z=ZERO, n=[MANY]),
    "Range": made(
        "big = Range(z, n, one)",
        *ADDED,
        z=np.float32(0),
        n=np.float32(MANY),
        one=ONE,
    ),
    "Tile": made("big = Tile(image, n)", *ADDED, n=FAR),
    "Pad": made("big = Pad(image, n)", *ADDED, n=[0, 0, 0, 0, 0, 0, 10**6, 10**6]),
    "Resize": made('big = Resize(image, "", n)', *ADDED, n=FAR.astype(np.float32)),
    "a computed shape": made(
        "now = Shape(image)",
        "far = Mul(now, n)",
        "big = Expand(z, far)",
        *ADDED,
        n=FAR,
        z=ZERO,
    ),
    "a fixed product": made(
        "a = Reshape(image, column)",
        "b = Tile(a, n)",
        "c = Reshape(b, row)",
        "big = Mul(b, c)",
        *ADDED,
        column=[-1, 1],
        row=[1, -1],
        n=[10**4, 1],
    ),
}

CONSTANT = ("ConstantOfShape", "Expand", "Range", "in a function")  # computed with the session


def in_a_function() -> onnx.ModelProto:
    proto = graphs.conv(contract=graphs.UNIT_RANGE, tail="scores = local.Far(raw, n)", n=[MANY])
    return graphs.with_function(
        proto,
        "Far (x, n) => (y) { big = ConstantOfShape(n) most = ReduceMax(big) y = Add(x, most) }",
    )


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
    chain = [f"v{i + 1} = Relu(v{i})" for i in range(50)]
    first, last = "v0 = Conv(image, w)", "scores = Conv(v50, w)"
    weights = {"w": np.ones((3, 3, 1, 1), np.float32)}
    assert need(made(first, *chain, last, **weights)) == 2 * size
    views = ["f = Reshape(v0, flat)", "v50 = Reshape(f, full)"]
    shapes = {"flat": [1, -1], "full": [1, 3, 6, 8]}
    # The few numbers of the shapes may count or not.
    assert need(made(first, *views, last, **weights, **shapes)) <= 2 * size + 64
    kept = [*chain[:1], "v50 = Add(v0, v1)"]  # v0 is read again, so Relu cannot write over it
    assert need(made(first, *kept, last, **weights)) == 2 * size


def test_what_is_read_again_is_held_beside_what_is_made_of_it() -> None:
    size = PICTURE.nbytes
    proto = made(
        "v = Conv(image, w)",
        "seen = Reshape(v, flat)",
        "other = Relu(seen)",  # must not write over v, of which it sees the memory
        "u = Reshape(other, full)",
        "wide = Concat<axis = 1>(v, u, u)",
        "scores = Conv(wide, w3)",
        w=np.ones((3, 3, 1, 1), np.float32),
        w3=np.ones((3, 9, 1, 1), np.float32),
        flat=[1, -1],
        full=[1, 3, 6, 8],
    )
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
    double = [f"r{i + 1} = Concat<axis = 0>(r{i}, r{i})" for i in range(20)]
    proto = made(
        # A row that is long, one whose length is known by the second round alone, and weights.
        *("long1 = Expand(z, n)", "k = Mul(n, two)", "long2 = Expand(z, k)"),
        *(f"picked{i} = Gather(long{i}, z)" for i in (1, 2, 3)),
        *(f"cut{i} = Slice(long{i}, z, n)" for i in (1, 2, 3)),
        *(f"long{i}x = Mul(long{i}, long{i})" for i in (1, 2, 3)),
        *("r = Cast<to = 10>(image)", "r0 = Shape(image)"),
        *double,
        *(f"most{i} = ReduceMax(long{i}x)" for i in (1, 2, 3)),
        *("a = Add(image, most1)", "b = Add(a, most2)", "scores = Add(b, most3)"),
        z=[0],
        n=[10**6],
        two=[2],
        long3=np.zeros(5000, np.int64),
    )
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
    *_, last = body
    proto = graphs.conv(contract=graphs.UNIT_RANGE, tail=f"scores = local.{last}(raw)")
    for name, called in body.items():
        values = ["x", *(f"v{i}" for i in range(len(called) - 1)), "y"]
        nodes = " ".join(
            f"{values[i + 1]} = {'local.' * (op in body)}{op}({values[i]})"
            for i, op in enumerate(called)
        )
        graphs.with_function(proto, f"{name} (x) => (y) {{ {nodes} }}")
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
        "cycle": ("a = Tanh(b)", "b = Relu(a)", "scores = Add(image, b)"),
        "nameless": ("a = Tanh(image)", '"" = Relu("")', "scores = Add(image, a)"),
    }.items():
        path = graphs.save(made(*nodes), tmp_path / f"{name}.onnx")
        outcome = onnxcert("inspect", path)
        assert ("computed from itself" in outcome.refusal) == (name == "cycle")


@pytest.mark.parametrize("text", [b"Conv", b"scores"])
def test_names_that_are_no_text_are_refused(text: bytes, tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes().replace(text, b"\xed" + text[1:]))
    outcome = onnxcert("inspect", path)
    assert "names that are not UTF-8 text" in outcome.refusal
