"""Value ranges that cannot be meant are refused, and those that can be are not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from graphs import Graph
from hypothesis import given
from hypothesis import strategies as st

from onnxcert.errors import ContractError
from onnxcert.model.detect.detect import detect
from onnxcert.model.detect.first_arithmetic import first_arithmetic
from onnxcert.model.graph.file import read_model

CAFFE = (104.0, 117.0, 123.0)
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
BYTES = {"mean": (123.7, 116.3, 103.5), "std": (58.4, 57.1, 57.4)}

Step = tuple[str, Any]


def graph_of(*steps: Step, kind: str = "float32", last: bool = False) -> onnx.ModelProto:
    """A graph that takes `image` through `steps`, (operator, constant), to a convolution.

    A constant on the left of Sub is given as ("Sub from", constant).
    """
    g = Graph()
    value = "image"
    if last:
        value = g.add("Transpose", value, perm=[0, 3, 1, 2])
    if kind != "float32":
        value = g.add("Cast", value, to=onnx.TensorProto.FLOAT)
    for operator, constant in steps:
        value = step(g, value, operator, constant)
    value = g.add("Conv", value, g.constant(np.ones((2, 3, 1, 1)), np.float32))
    g.add("Identity", value, output="answer")
    axes = ["b", "h", "w", 3] if last else ["b", 3, "h", "w"]
    return g.model({"image": (kind, axes)}, {"answer": ("float32", ["b", 2, "h", "w"])})


def step(g: Graph, value: str, operator: str, constant: Any) -> str:
    match operator:
        case "Pad":
            return g.add("Pad", value, g.constant([0, 0, 1, 1, 0, 0, 1, 1]), mode="edge")
        case "Resize":
            scales = g.constant([1, 1, 2, 2], np.float32)
            return g.add("Resize", value, "", scales, mode="nearest")
        case "Clip":
            low, high = (g.constant(bound, np.float32) for bound in constant)
            return g.add("Clip", value, low, high)
        case "Identity" | "Neg":
            return g.add(operator, value)
        case "Swap":
            return g.add("Gather", value, g.constant([2, 1, 0]), axis=1)
        case "Node":  # a constant that a node holds, unsqueezed as PyTorch writes it
            name = f"held_{len(g.nodes)}"
            tensor = onnx.numpy_helper.from_array(np.asarray(constant, np.float32))
            g.nodes.append(onnx.helper.make_node("Constant", [], [name], value=tensor))
            held = g.add("Unsqueeze", name, g.constant([1, 2]))
            return g.add("Sub", value, held)
        case "Sub from":
            return g.add("Sub", g.constant(constant, np.float32), value)
    values = np.asarray(constant, np.float32)
    values = values.reshape(-1, 1, 1) if values.size > 1 else values
    return g.add(operator, value, g.constant(values, np.float32))


def outcome(proto: onnx.ModelProto, folder: Path, **said: Any) -> str:
    """The refusal, or nothing where the contract is taken."""
    model = read_model(graphs.save(proto, folder / "model.onnx"))
    messages = []
    for require_range in (True, False):  # as `certify` asks and as `inspect` does
        try:
            detect(model, said, require_range=require_range)
            messages.append("")
        except ContractError as error:
            messages.append(str(error))
    assert messages[0] == messages[1]
    assert "\n" not in messages[0]
    return messages[0]


# -- by the graph --------------------------------------------------------------------------------

UNIT, BYTE, SIGNED = (0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)
DIVIDED = [
    [("Mul", 1 / 255)],
    [("Div", 255.0)],
    [("Div", (255.0, 255.0, 255.0))],
    [("Pad", 0), ("Resize", 0), ("Swap", 0), ("Mul", 1 / 255)],
    [("Identity", 0), ("Div", 255.0), ("Sub", (0.485, 0.456, 0.406)), ("Div", (0.2, 0.2, 0.2))],
    [("Mul", 1 / 127.5), ("Sub", 1.0)],
    [("Sub", 127.5), ("Div", 127.5)],
    [("Sub", 127.5)],
    [("Clip", (0.0, 255.0)), ("Div", 255.0)],
    [("Add", -127.5), ("Mul", 1 / 128)],
    [("Sub", CAFFE)],
    [("Node", CAFFE)],
    [("Node", (127.5,))],
    [("Swap", 0), ("Sub", CAFFE), ("Mul", 0.017)],
    [("Sub", (123.7, 116.3, 103.5)), ("Div", (58.4, 57.1, 57.4))],
    [("Sub from", 255.0), ("Div", 255.0)],
]


@pytest.mark.parametrize("value_range", [UNIT, SIGNED])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("steps", DIVIDED, ids=str)
def test_a_network_for_bytes_is_not_given_pixels_up_to_1(
    tmp_path: Path, steps: Sequence[Step], last: bool, value_range: tuple[float, float]
) -> None:
    proto = graph_of(*steps, last=last)
    message = outcome(proto, tmp_path, value_range=value_range)
    assert "pass --range 0,255." in message
    assert f"the range {value_range[0]:g},{value_range[1]:g} (given)" in message
    assert outcome(proto, tmp_path, value_range=BYTE) == ""


@pytest.mark.parametrize(
    "steps",
    [
        [("Mul", 255.0)],
        [("Div", 1 / 255)],
        [("Mul", 255.0), ("Sub", CAFFE)],
        [("Sub", 0.5), ("Div", 0.5)],
        [("Mul", 2.0), ("Sub", 1.0)],
        [("Sub", (0.485, 0.456, 0.406)), ("Div", (0.229, 0.224, 0.225))],
        [("Identity", 0), ("Sub", (0.485, 0.456, 0.406)), ("Mul", 4.4)],
    ],
    ids=str,
)
def test_a_network_for_pixels_up_to_1_is_not_given_bytes(
    tmp_path: Path, steps: Sequence[Step]
) -> None:
    proto = graph_of(*steps)
    assert "pass --range 0,1." in outcome(proto, tmp_path, value_range=BYTE)
    assert outcome(proto, tmp_path, value_range=UNIT) == ""


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], {"value_range": UNIT}),
        ([], {"value_range": BYTE}),
        ([], {"value_range": (-123.0, 132.0)}),
        ([("Add", 1e-6)], {"value_range": BYTE}),
        ([("Sub", 0.5)], {"value_range": BYTE}),
        ([("Sub from", 1.0)], {"value_range": UNIT}),
        ([("Mul", 0.5)], {"value_range": UNIT}),
        ([("Mul", 10.0)], {"value_range": UNIT}),
        ([("Neg", 0), ("Mul", 1 / 255)], {"value_range": UNIT}),  # not followed through Neg
        ([("Mul", 1 / 65535)], {"value_range": (0.0, 65535.0)}),
        ([("Mul", 2.0), ("Sub", 1.0)], {"value_range": SIGNED}),
        # Mean and std, and then 1/255 again: such files exist.
        ([("Mul", 1 / 255)], {"value_range": UNIT, **IMAGENET}),
        ([("Mul", 1 / 255)], {"value_range": BYTE, **BYTES}),
        ([("Sub", (0.5, 0.5, 0.5)), ("Div", 0.5)], {**IMAGENET}),
    ],
    ids=str,
)
def test_what_may_be_meant_is_taken(
    tmp_path: Path, steps: Sequence[Step], said: dict[str, Any]
) -> None:
    assert outcome(graph_of(*steps), tmp_path, **said) == ""


def test_a_network_that_subtracts_127_5_is_not_given_normalised_pixels(tmp_path: Path) -> None:
    proto = graph_of(("Sub", 127.5), ("Div", 127.5))
    message = outcome(proto, tmp_path, **IMAGENET)  # from which the range 0,1 follows
    assert "with mean and std gives the network values from -2.118 to 2.64" in message
    assert "subtracts 127.5 first" in message
    assert "--range 0,255 without --mean and --std" in message


def test_a_network_for_16_bits_is_told_so(tmp_path: Path) -> None:
    assert "pass --range 0,65535." in outcome(
        graph_of(("Div", 65535.0)), tmp_path, value_range=UNIT
    )
    assert "pass --range 0,10000." in outcome(graph_of(("Mul", 1e-4)), tmp_path, value_range=UNIT)


def test_bytes_in_a_uint8_input_are_scaled_by_the_network(tmp_path: Path) -> None:
    proto = graph_of(("Div", 255.0), ("Sub", 0.5), kind="uint8")
    assert outcome(proto, tmp_path) == ""
    assert "multiplies by 255" in outcome(graph_of(("Mul", 255.0), kind="uint8"), tmp_path)


def split(*means: float) -> onnx.ModelProto:
    """Each channel is cut out, loses a mean of its own and is put beside the others again."""
    g = Graph()
    parts = []
    for i, mean in enumerate(means):
        part = g.add("Gather", "image", g.constant([i]), axis=1)
        parts.append(g.add("Sub", part, g.constant(mean, np.float32)) if mean else part)
    value = g.add("Concat", *parts, axis=1)
    g.add("Conv", value, g.constant(np.ones((2, 3, 1, 1)), np.float32), output="answer")
    return g.model(
        {"image": ("float32", ["b", 3, "h", "w"])}, {"answer": ("float32", ["b", 2, "h", "w"])}
    )


def test_every_way_into_the_network_must_say_so(tmp_path: Path) -> None:
    assert "pass --range 0,255." in outcome(split(*CAFFE), tmp_path, value_range=UNIT)
    # Here one way takes pixels as they are.
    for means in ((104.0, 117.0, 0.0), (104.0, 0.0, 123.0), (0.0, 117.0, 123.0)):
        assert outcome(split(*means), tmp_path, value_range=UNIT) == ""


@pytest.mark.parametrize(("mean", "of"), [(120.0, BYTE), (0.45, UNIT)])
def test_a_batch_normalisation_of_the_input_tells_its_unit(
    tmp_path: Path, mean: float, of: tuple[float, float]
) -> None:
    g = Graph()
    numbers = (0.9, 0.1, mean, (of[1] / 4) ** 2)  # scale, bias, mean, variance
    constants = [g.constant(np.full(3, number), np.float32) for number in numbers]
    value = g.add("BatchNormalization", "image", *constants, epsilon=1e-5)
    g.add("Conv", value, g.constant(np.ones((2, 3, 1, 1)), np.float32), output="answer")
    free = ["b", 3, "h", "w"]
    proto = g.model({"image": ("float32", free)}, {"answer": ("float32", ["b", 2, "h", "w"])})
    other, right = (UNIT, "0,255") if of == BYTE else (BYTE, "0,1")
    assert outcome(proto, tmp_path, value_range=of) == ""
    assert f"pass --range {right}." in outcome(proto, tmp_path, value_range=other)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize("of", [UNIT, BYTE])
def test_a_network_that_rounds_its_input_to_8_bits_tells_its_unit(
    tmp_path: Path, kind: str, of: tuple[float, float]
) -> None:
    g = Graph()
    step, zero = g.constant(of[1] / 255, np.float32), g.constant(np.iinfo(kind).min, kind)
    value = g.add("QuantizeLinear", g.add("Identity", "image"), step, zero)
    value = g.add("DequantizeLinear", value, step, zero)
    g.add("Conv", value, g.constant(np.ones((2, 3, 1, 1)), np.float32), output="answer")
    free = ["b", 3, "h", "w"]
    proto = g.model({"image": ("float32", free)}, {"answer": ("float32", ["b", 2, "h", "w"])})
    other, right = (UNIT, "0,255") if of == BYTE else (BYTE, "0,1")
    assert outcome(proto, tmp_path, value_range=of) == ""
    message = outcome(proto, tmp_path, value_range=other)
    assert f"rounds to 8 bits from 0 to {of[1]:g} first; pass --range {right}." in message


def test_normalised_pixels_may_be_rounded_to_8_bits(tmp_path: Path) -> None:
    g = Graph()
    step, zero = g.constant(0.0186, np.float32), g.constant(114, np.uint8)
    value = g.add("QuantizeLinear", "image", step, zero)
    value = g.add("DequantizeLinear", value, step, zero)
    g.add("Conv", value, g.constant(np.ones((2, 3, 1, 1)), np.float32), output="answer")
    free = ["b", 3, "h", "w"]
    proto = g.model({"image": ("float32", free)}, {"answer": ("float32", ["b", 2, "h", "w"])})
    assert outcome(proto, tmp_path, **IMAGENET) == ""
    assert outcome(proto, tmp_path, value_range=UNIT) == ""  # unusual, but not out of the question
    assert "from -2.12 to 2.623 first" in outcome(proto, tmp_path, value_range=BYTE)


def test_the_size_of_the_input_is_no_value_of_it(tmp_path: Path) -> None:
    g = Graph()
    sizes = g.add("Shape", "image")
    scaled = g.add("Div", "image", g.constant(255.0, np.float32))
    value = g.add("Conv", scaled, g.constant(np.ones((2, 3, 1, 1)), np.float32))
    g.add("Resize", value, "", "", _to(g, sizes), output="answer", mode="nearest")
    free = ["b", 3, "h", "w"]
    proto = g.model({"image": ("float32", free)}, {"answer": ("float32", ["b", 2, "h", "w"])})
    assert "divides by 255 first" in outcome(proto, tmp_path, value_range=UNIT)


def _to(g: Graph, sizes: str) -> str:
    ends = [(g.constant([start]), g.constant([stop])) for start, stop in ((0, 1), (2, 4))]
    batch, rest = (g.add("Slice", sizes, start, stop) for start, stop in ends)
    return g.add("Concat", batch, g.constant([2]), rest, axis=0)


# -- by mean and std -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"value_range": UNIT, "mean": (100.0,)}, "pass --range 0,255,"),
        ({"value_range": UNIT, **BYTES}, "mean 123.7,116.3,103.5 does not fit"),
        ({"value_range": UNIT, "mean": CAFFE, "std": (1.0,)}, "pass --range 0,255,"),
        ({"value_range": SIGNED, "mean": CAFFE, "std": (1.0,)}, "the range -1,1 (given)"),
        ({"value_range": UNIT, "mean": (0.5, 116.0, 0.4)}, "mean 0.5,116,0.4"),
        ({"value_range": UNIT, "std": (255.0,)}, "std 255 is too large"),
        ({"value_range": UNIT, "mean": (0.0,), "std": (58.0,)}, "pass --range 0,255,"),
        (
            {"value_range": BYTE, "normalise": "before", **BYTES},
            "pass --range 0,255 --normalise after,",
        ),
        ({"value_range": BYTE, **IMAGENET}, "pass --range 0,1, or --normalise before"),
    ],
    ids=str,
)
def test_mean_and_std_in_another_unit_are_refused(
    tmp_path: Path, said: dict[str, Any], words: str
) -> None:
    assert words in outcome(graphs.conv(), tmp_path, **said)


@pytest.mark.parametrize(
    "said",
    [
        {"value_range": UNIT, **IMAGENET},
        {"value_range": BYTE, **BYTES},
        {"value_range": BYTE, "mean": CAFFE, "std": (1.0, 1.0, 1.0)},
        {"value_range": BYTE, "normalise": "before", **IMAGENET},
        {"value_range": SIGNED, "mean": (0.5,), "std": (0.5,)},
        {"value_range": UNIT, "mean": (-0.5,), "std": (0.5,)},
        {"value_range": UNIT, "mean": (2.0,), "std": (0.1,)},
        {"value_range": BYTE, "mean": (0.0,), "std": (1.0,)},
        {"value_range": BYTE, "mean": (0.5,), "std": (1.0,)},
        {"value_range": BYTE, "std": (255.0,)},
        {"value_range": UNIT, "mean": (0.485,), "std": (58.4,)},  # and then 255 again
        {"value_range": (0.0, 65535.0), "mean": (1500.0,), "std": (800.0,)},
        {"value_range": (0.0, 6.5535), "mean": (0.1,), "std": (0.05,)},
    ],
    ids=str,
)
def test_mean_and_std_that_may_be_meant_are_taken(tmp_path: Path, said: dict[str, Any]) -> None:
    assert outcome(graphs.conv(), tmp_path, **said) == ""


# -- what is read off the graph ------------------------------------------------------------------

factors = st.floats(0.5, 4.0, width=32)
steps = st.lists(
    st.tuples(
        st.sampled_from(("Add", "Sub", "Mul", "Div", "Sub from", "Identity", "Pad")),
        factors | st.lists(factors, min_size=3, max_size=3),
    ),
    max_size=5,
)


@given(steps)
def test_factor_and_offset_are_those_of_the_nodes(taken: list[Step]) -> None:
    (way,) = first_arithmetic(graph_of(*taken).graph, "image")
    for x in (np.zeros(3), np.ones(3), np.full(3, -2.5)):
        value = x
        for operator, constant in taken:
            k = np.asarray(constant)
            match operator:
                case "Add":
                    value = value + k
                case "Sub":
                    value = value - k
                case "Mul":
                    value = value * k
                case "Div":
                    value = value / k
                case "Sub from":
                    value = k - value
        np.testing.assert_allclose(way.factor * x + way.offset, value, rtol=1e-9, atol=1e-9)
