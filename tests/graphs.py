"""Tiny ONNX graphs: one that is certified as it should be, and every trap around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
Shape = Sequence[Any]  # a number where an axis is fixed, a name or None where it is free

UNIT_RANGE = {"value_range": [0, 1]}

RANDOM_OPERATORS = (
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
)


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node; names of tensors are separated by blanks, and a node is called by its operator."""
    return helper.make_node(
        operator, inputs.split(" "), outputs.split(" "), name=f"the_{operator}", **attributes
    )


def conv(
    classes: int = 3,
    *,
    weight: Array | None = None,
    bias: Array | None = None,
    stride: int = 1,
    batch: int | str = "batch",
    size: tuple[int | str, int | str] = ("height", "width"),
    contract: Mapping[str, Any] | str | None = None,
    tail: Sequence[onnx.NodeProto] = (),
    constants: Mapping[str, Array] | None = None,
    seed: int = 0,
) -> onnx.ModelProto:
    """One convolution from `image` [B, 3, H, W] to `scores` [B, classes, H/stride, W/stride].

    Args:
        classes: number of classes.
        weight: [classes, 3, k, k] of odd k; random 3 x 3 if not given.
        bias: [classes].
        stride: of the convolution, so of the resolution of the scores.
        batch, size: a number where fixed, a name where free.
        contract: written into the metadata, with its version unless it is a text.
        tail: nodes from `raw`, the convolution's output, to `scores`.
        constants: initialisers of the tail.
        seed: of the random weights.
    """
    if weight is None:
        weight = np.random.default_rng(seed).normal(0, 1, (classes, 3, 3, 3))
        # Scores that do not prefer a class where the picture is grey.
        weight -= weight.mean(axis=(0, 1, 2, 3), keepdims=True)
    bias = np.zeros(classes) if bias is None else bias
    pad = weight.shape[2] // 2
    raw = "raw" if tail else "scores"
    nodes = [node("Conv", "image w b", raw, pads=[pad] * 4, strides=[stride] * 2), *tail]
    shrunk: list[int | str] = list(size) if stride == 1 else ["h", "w"]
    return model(
        nodes,
        inputs={"image": [batch, 3, *size]},
        outputs={"scores": [batch, classes, *shrunk]},
        constants={
            "w": weight.astype(np.float32),
            "b": bias.astype(np.float32),
            **(constants or {}),
        },
        contract=contract,
    )


def model(
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape | None],
    constants: Mapping[str, Array] | None = None,
    contract: Mapping[str, Any] | str | None = None,
    kinds: Mapping[str, int] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """A model of `nodes`; `kinds` gives element types other than float32."""
    kinds = kinds or {}

    def value(name: str, shape: Shape | None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), shape)

    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [value(name, shape) for name, shape in inputs.items()],
        [value(name, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in (constants or {}).items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if contract is not None:
        text = contract if isinstance(contract, str) else json.dumps({"version": 1, **contract})
        entry = proto.metadata_props.add()
        entry.key, entry.value = "onnxcert", text
    return proto


def save(proto: onnx.ModelProto, path: Path) -> Path:
    """Write `proto` to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(proto.SerializeToString())
    return path


# -- models that mean something ------------------------------------------------------------------


def threshold(level: float = 0.5, *, sharpness: float = 8.0, **options: Any) -> onnx.ModelProto:
    """Class 1 where the mean of the three channels exceeds `level`, class 0 elsewhere."""
    weight = np.zeros((2, 3, 1, 1))
    weight[1] = sharpness / 3
    options.setdefault("contract", UNIT_RANGE)
    return conv(2, weight=weight, bias=np.array([0.0, -sharpness * level]), **options)


def quantiser(centres: Array, **options: Any) -> onnx.ModelProto:
    """The label of a pixel is the index of the centre nearest to its first channel.

    As the network gets it: the labels tell what value has reached the network.
    """
    weight = np.zeros((len(centres), 3, 1, 1))
    weight[:, 0, 0, 0] = 2 * centres
    return conv(len(centres), weight=weight, bias=-(centres**2), **options)


# -- scores that are not finite ------------------------------------------------------------------


def poisoned(
    value: float, *, level: float, channels: Sequence[int], classes: int = 3, **o: Any
) -> onnx.ModelProto:
    """`conv` whose scores of the classes `channels` are `value` where red exceeds `level`."""
    bad = np.zeros((1, classes, 1, 1), np.float32)
    bad[0, list(channels)] = value
    options: dict[str, Any] = {"contract": UNIT_RANGE, **o}
    return conv(
        classes,
        tail=[
            node("Slice", "image first second channel_axis", "red"),
            node("Greater", "red level", "hot"),
            node("Where", "hot bad nothing", "added"),
            node("Add", "raw added", "scores"),
        ],
        constants={
            "first": np.array([0]),
            "second": np.array([1]),
            "channel_axis": np.array([1]),
            "level": np.array(level, np.float32),
            "bad": bad,
            "nothing": np.zeros((1, 1, 1, 1), np.float32),
        },
        **options,
    )


# -- models that must not be trusted -------------------------------------------------------------


def training_batchnorm(classes: int = 3) -> onnx.ModelProto:
    """BatchNormalization with the statistics of the batch."""
    return conv(
        classes,
        contract=UNIT_RANGE,
        tail=[node("BatchNormalization", "raw one zero zero one", "scores m v", training_mode=1)],
        constants={
            "one": np.ones(classes, np.float32),
            "zero": np.zeros(classes, np.float32),
        },
    )


def old_training_batchnorm(classes: int = 3) -> onnx.ModelProto:
    """The same before opset 14: training shows only in the number of outputs."""
    proto = conv(
        classes,
        contract=UNIT_RANGE,
        tail=[node("BatchNormalization", "raw one zero zero one", "scores m v sm sv")],
        constants={
            "one": np.ones(classes, np.float32),
            "zero": np.zeros(classes, np.float32),
        },
    )
    proto.opset_import[0].version = 13
    return proto


def dropout(training: bool | str) -> onnx.ModelProto:
    """Dropout that is on, off, or (a text) switched by a graph input of that name."""
    flag = training if isinstance(training, str) else "flag"
    proto = conv(
        contract={**UNIT_RANGE, "input": "image"},
        tail=[node("Dropout", f"raw ratio {flag}", "scores")],
        constants={"ratio": np.array(0.5, np.float32), "flag": np.array(training is True)},
    )
    if isinstance(training, str):
        proto.graph.input.append(helper.make_tensor_value_info(training, TensorProto.BOOL, []))
    return proto


def random_operator(operator: str, **options: Any) -> onnx.ModelProto:
    """Scores with the output of one of the operators of `RANDOM_OPERATORS` added."""
    shape: dict[str, Any] = (
        {"shape": [1, 1, 1, 1]} if operator in ("RandomNormal", "RandomUniform") else {}
    )
    inputs = "" if shape else "raw"
    random = helper.make_node(operator, inputs.split(), ["noise"], name=f"the_{operator}", **shape)
    return conv(contract=UNIT_RANGE, tail=[random, node("Add", "raw noise", "scores")], **options)


def random_in_a_branch() -> onnx.ModelProto:
    """A random operator in a subgraph, where a look at the top alone does not find it."""
    shape = helper.make_tensor_value_info("a", TensorProto.FLOAT, None)
    random = helper.make_graph([node("RandomNormalLike", "raw", "a")], "random", [], [shape])
    plain = helper.make_graph([node("Identity", "raw", "a")], "plain", [], [shape])
    return conv(
        contract=UNIT_RANGE,
        tail=[
            helper.make_node(
                "If", ["yes"], ["scores"], name="the_If", then_branch=random, else_branch=plain
            )
        ],
        constants={"yes": np.array(True)},
    )


def random_in_a_function() -> onnx.ModelProto:
    """A random operator in a local function of the model."""
    proto = conv(
        contract=UNIT_RANGE,
        tail=[helper.make_node("Noisy", ["raw"], ["scores"], name="call", domain="local")],
    )
    proto.opset_import.append(helper.make_opsetid("local", 1))
    proto.functions.append(
        helper.make_function(
            "local",
            "Noisy",
            ["x"],
            ["y"],
            [node("RandomUniformLike", "x", "u"), node("Add", "x u", "y")],
            [helper.make_opsetid("", 17)],
        )
    )
    return proto


def dynamically_quantised(**options: Any) -> onnx.ModelProto:
    """Scores rounded to 8 bits with a range taken over the whole batch."""
    return conv(
        contract=UNIT_RANGE,
        tail=[
            node("DynamicQuantizeLinear", "raw", "q scale zero"),
            node("DequantizeLinear", "q scale zero", "scores"),
        ],
        **options,
    )


def batch_mates_leak(**options: Any) -> onnx.ModelProto:
    """Scores from which four fifths of the batch's mean are taken: alone, nothing changes."""
    return conv(
        contract=UNIT_RANGE,
        tail=[
            node("ReduceMean", "raw", "mean", axes=[0], keepdims=1),
            node("Mul", "mean share", "taken"),
            node("Sub", "raw taken", "scores"),
        ],
        constants={"share": np.array(0.8, np.float32)},
        **options,
    )


def endless() -> onnx.ModelProto:
    """`image` goes round in a Loop that nothing ends."""
    return onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        endless (float[batch, 3, height, width] image) => (float[batch, 3, height, width] scores) {
            mean = ReduceMean<keepdims = 0>(image)
            least = Constant<value_float = -1e30>()
            goes_on = Greater(mean, least)
            turns = Constant<value = int64 {9223372036854775807}>()
            scores = Loop(turns, goes_on, image) <body = turn (
                int64 i, bool before, float[batch, 3, height, width] given
            ) => (bool after, float[batch, 3, height, width] same) {
                after = Identity(before)
                same = Identity(given)
            }>
        }
        """
    )


# -- models whose contract is in question --------------------------------------------------------


def two_inputs() -> onnx.ModelProto:
    """Two pictures go in; they are added."""
    shape = ["batch", 3, "height", "width"]
    return model(
        [node("Add", "left right", "both"), node("Conv", "both w", "scores")],
        inputs={"left": shape, "right": shape},
        outputs={"scores": ["batch", 2, "height", "width"]},
        constants={"w": np.eye(2, 3, dtype=np.float32).reshape(2, 3, 1, 1)},
    )


def two_outputs() -> onnx.ModelProto:
    """`main` prefers the class of the brightest channel, `aux` that of the darkest."""
    shape = ["batch", 3, "height", "width"]
    return model(
        [node("Identity", "image", "main"), node("Neg", "image", "aux")],
        inputs={"image": shape},
        outputs={"main": shape, "aux": shape},
    )


def channels_last(height: int | str = "height", width: int | str = "width") -> onnx.ModelProto:
    """Takes [batch, height, width, 3]."""
    return model(
        [node("Transpose", "image", "scores", perm=[0, 3, 1, 2])],
        inputs={"image": ["batch", height, width, 3]},
        outputs={"scores": ["batch", 3, height, width]},
    )


def half_precision() -> onnx.ModelProto:
    """Takes float16."""
    shape = ["batch", 3, "height", "width"]
    return model(
        [node("Cast", "image", "scores", to=TensorProto.FLOAT)],
        inputs={"image": shape},
        outputs={"scores": shape},
        kinds={"image": TensorProto.FLOAT16},
    )


def whole_numbers(dtype: str) -> onnx.ModelProto:
    """Takes integers of type `dtype`, which the network sees as they are."""
    shape = ["batch", 3, "height", "width"]
    return model(
        [node("Cast", "image", "scores", to=TensorProto.FLOAT)],
        inputs={"image": shape},
        outputs={"scores": shape},
        kinds={"image": helper.np_dtype_to_tensor_dtype(np.dtype(dtype))},
    )


def label_map(*, chosen: bool = True) -> onnx.ModelProto:
    """Class indices [B, 1, H, W], int64: the brightest channel, or the rounded first one."""
    nodes = [node("ArgMax", "image", "labels", axis=1)]
    if not chosen:
        nodes = [
            node("Slice", "image start stop axes", "red"),
            node("Cast", "red", "labels", to=TensorProto.INT64),
        ]
    return model(
        nodes,
        inputs={"image": ["batch", 3, "height", "width"]},
        outputs={"labels": ["batch", 1, "height", "width"]},
        constants={"start": np.array([0]), "stop": np.array([1]), "axes": np.array([1])},
        kinds={"labels": TensorProto.INT64},
    )


def identity(shape: Shape, out: Shape | None = None) -> onnx.ModelProto:
    """`image` of any declared shape goes through to `scores`."""
    return model(
        [node("Identity", "image", "scores")],
        inputs={"image": shape},
        outputs={"scores": shape if out is None else out},
    )


def one_channel_map() -> onnx.ModelProto:
    """One channel of whole numbers, of which nobody can say what they are."""
    return model(
        [node("ReduceMean", "image", "mean", axes=[1]), node("Floor", "mean", "scores")],
        inputs={"image": ["batch", 3, "height", "width"]},
        outputs={"scores": ["batch", 1, "height", "width"]},
    )


def multi_label() -> onnx.ModelProto:
    """A sigmoid for each class: labels that do not exclude each other."""
    return conv(contract=UNIT_RANGE, tail=[node("Sigmoid", "raw", "scores")])


def softmax(**options: Any) -> onnx.ModelProto:
    """Probabilities."""
    return conv(contract=UNIT_RANGE, tail=[node("Softmax", "raw", "scores", axis=1)], **options)
