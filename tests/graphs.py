"""Tiny ONNX graphs: one that is certified as it should be, and every trap around it.

A graph is written as text, in the syntax of `onnx.parser`, or built step by step by `Graph`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
Shape = Sequence[int | str | None] | None
Contract = Mapping[str, Any] | str | None  # written into the file, with its version unless a text

UNIT_RANGE = {"value_range": [0, 1]}
IMAGES = "float[batch, 3, height, width]"

RANDOM_OPERATORS = (
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
)

KINDS: Final = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}


def model(
    text: str, contract: Contract = None, opset: int = 17, **constants: Any
) -> onnx.ModelProto:
    """`(inputs) => (outputs) { nodes }` as a model; nodes are called by their operator.

    Args:
        text: in the syntax of `onnx.parser`.
        contract: of the file.
        opset: of the file.
        constants: initialisers; floats become float32.
    """
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> tiny {text}')
    for i, node in enumerate(proto.graph.node):
        again = any(before.op_type == node.op_type for before in proto.graph.node[:i])
        node.name = node.name or f"the_{node.op_type}" + f"_{i}" * again
    for name, value in constants.items():
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    return with_contract(proto, contract)


def with_contract(proto: onnx.ModelProto, contract: Contract) -> onnx.ModelProto:
    """`proto` with the contract in its metadata."""
    if contract is not None:
        text = contract if isinstance(contract, str) else json.dumps({"version": 1, **contract})
        helper.set_model_props(proto, {"onnxcert": text})
    return proto


def with_function(proto: onnx.ModelProto, text: str) -> onnx.ModelProto:
    """`proto` with a function of the domain `local`: `name (inputs) => (outputs) { nodes }`."""
    if not proto.functions:
        proto.opset_import.append(helper.make_opsetid("local", 1))
    head = '<domain: "local", opset_import: ["" : 17, "local" : 1]>'
    proto.functions.append(onnx.parser.parse_function(f"{head} {text}"))
    return proto


def conv(
    classes: int = 3,
    *,
    weight: Array | None = None,
    bias: Array | None = None,
    stride: int = 1,
    batch: int | str = "batch",
    size: tuple[int | str, int | str] = ("height", "width"),
    contract: Contract = None,
    tail: str = "",
    seed: int = 0,
    **constants: Any,
) -> onnx.ModelProto:
    """One convolution from `image` [B, 3, H, W] to `scores` [B, classes, H/stride, W/stride].

    Args:
        classes: number of classes.
        weight: [classes, 3, k, k] of odd k; random 3 x 3 if not given.
        bias: [classes].
        stride: of the convolution, so of the resolution of the scores.
        batch, size: a number where fixed, a name where free.
        contract: of the file.
        tail: nodes from `raw`, the convolution's output, to `scores`.
        seed: of the random weights.
        constants: initialisers of the tail.
    """
    if weight is None:
        weight = np.random.default_rng(seed).normal(0, 1, (classes, 3, 3, 3))
        # Scores that do not prefer a class where the picture is grey.
        weight -= weight.mean(axis=(0, 1, 2, 3), keepdims=True)
    pad = weight.shape[2] // 2
    high, wide = size if stride == 1 else ("h", "w")
    return model(
        f"""(float[{batch}, 3, {size[0]}, {size[1]}] image)
            => (float[{batch}, {classes}, {high}, {wide}] scores) {{
            {"raw" if tail else "scores"} = Conv<
                pads = {[pad] * 4}, strides = {[stride] * 2}
            >(image, w, b)
            {tail}
        }}""",
        contract,
        w=np.asarray(weight, np.float32),
        b=np.zeros(classes) if bias is None else bias,
        **constants,
    )


@dataclass
class Graph:
    """Nodes and constants under construction; each method returns the name of its result."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs), [output], name=f"the_{output}", **attributes)
        )
        return output

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.int64) -> str:
        name = f"constant_{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        array = array.reshape(np.shape(value))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def model(
        self,
        inputs: Mapping[str, tuple[str, Shape]],
        outputs: Mapping[str, tuple[str, Shape]],
        *,
        opset: int = 17,
        ir: int = 8,
        domains: Iterable[tuple[str, int]] = (),
        contract: Contract = None,
    ) -> onnx.ModelProto:
        """A model file; `inputs` and `outputs` map a name to its element type and shape."""
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info(n, KINDS[k], s) for n, (k, s) in inputs.items()],
            [helper.make_tensor_value_info(n, KINDS[k], s) for n, (k, s) in outputs.items()],
            self.constants,
        )
        imports = [helper.make_opsetid(d, v) for d, v in (("", opset), *domains)]
        proto = helper.make_model(graph, opset_imports=imports, ir_version=ir)
        if ir < 4:  # initialisers had to be listed as inputs
            for constant in self.constants:
                graph_input = helper.make_tensor_value_info(
                    constant.name, constant.data_type, list(constant.dims)
                )
                proto.graph.input.append(graph_input)
        return with_contract(proto, contract)


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
    value: float, *, level: float, channels: Sequence[int], classes: int = 3, **options: Any
) -> onnx.ModelProto:
    """`conv` whose scores of the classes `channels` are `value` where red exceeds `level`."""
    bad = np.zeros((1, classes, 1, 1))
    bad[0, list(channels)] = value
    return conv(
        classes,
        tail="""
            red = Slice(image, first, second, second)
            hot = Greater(red, level)
            added = Where(hot, bad, nothing)
            scores = Add(raw, added)
        """,
        first=[0],
        second=[1],
        level=level,
        bad=bad,
        nothing=np.zeros((1, 1, 1, 1)),
        **{"contract": UNIT_RANGE, **options},
    )


# -- models that must not be trusted -------------------------------------------------------------


def training_batchnorm(classes: int = 3) -> onnx.ModelProto:
    """BatchNormalization with the statistics of the batch."""
    return conv(
        classes,
        contract=UNIT_RANGE,
        tail="scores, m, v = BatchNormalization<training_mode = 1>(raw, one, zero, zero, one)",
        one=np.ones(classes),
        zero=np.zeros(classes),
    )


def old_training_batchnorm() -> onnx.ModelProto:
    """The same before opset 14: training shows only in the number of outputs."""
    proto = training_batchnorm()
    node = proto.graph.node[-1]
    del node.attribute[:]
    node.output.extend(["sm", "sv"])
    proto.opset_import[0].version = 13
    return proto


def dropout(training: bool | str) -> onnx.ModelProto:
    """Dropout that is on, off, or (a text) switched by a graph input of that name."""
    flag = training if isinstance(training, str) else "flag"
    proto = conv(
        contract={**UNIT_RANGE, "input": "image"},
        tail=f"scores = Dropout(raw, ratio, {flag})",
        ratio=0.5,
        flag=training is True,
    )
    if isinstance(training, str):
        proto.graph.input.append(helper.make_tensor_value_info(training, TensorProto.BOOL, []))
    return proto


def random_operator(operator: str, **options: Any) -> onnx.ModelProto:
    """Scores with the output of one of the operators of `RANDOM_OPERATORS` added."""
    shaped = operator in ("RandomNormal", "RandomUniform")
    call = f"{operator}<shape = [1, 1, 1, 1]>()" if shaped else f"{operator}(raw)"
    return conv(contract=UNIT_RANGE, tail=f"noise = {call} scores = Add(raw, noise)", **options)


def random_in_a_branch() -> onnx.ModelProto:
    """A random operator in a subgraph, where a look at the top alone does not find it."""
    return conv(
        contract=UNIT_RANGE,
        tail="""scores = If(yes) <
            then_branch = random () => (float[] a) {
                [the_RandomNormalLike] a = RandomNormalLike(raw)
            },
            else_branch = plain () => (float[] a) { a = Identity(raw) }
        >""",
        yes=True,
    )


def random_in_a_function() -> onnx.ModelProto:
    """A random operator in a local function of the model."""
    return with_function(
        conv(contract=UNIT_RANGE, tail="[call] scores = local.Noisy(raw)"),
        "Noisy (x) => (y) { [the_RandomUniformLike] u = RandomUniformLike(x) y = Add(x, u) }",
    )


def dynamically_quantised(**options: Any) -> onnx.ModelProto:
    """Scores rounded to 8 bits with a range taken over the whole batch."""
    return conv(
        contract=UNIT_RANGE,
        tail="""
            q, scale, zero = DynamicQuantizeLinear(raw)
            scores = DequantizeLinear(q, scale, zero)
        """,
        **options,
    )


def batch_mates_leak(**options: Any) -> onnx.ModelProto:
    """Scores from which four fifths of the batch's mean are taken: alone, nothing changes."""
    return conv(
        contract=UNIT_RANGE,
        tail="""
            mean = ReduceMean<axes = [0], keepdims = 1>(raw)
            taken = Mul(mean, share)
            scores = Sub(raw, taken)
        """,
        share=0.8,
        **options,
    )


def endless() -> onnx.ModelProto:
    """`image` goes round in a Loop that nothing ends."""
    return model(
        f"""({IMAGES} image) => ({IMAGES} scores) {{
            mean = ReduceMean<keepdims = 0>(image)
            goes_on = Greater(mean, least)
            scores = Loop(turns, goes_on, image) <body = turn (
                int64 i, bool before, {IMAGES} given
            ) => (bool after, {IMAGES} same) {{
                after = Identity(before)
                same = Identity(given)
            }}>
        }}""",
        least=-1e30,
        turns=2**63 - 1,
    )


# -- models whose contract is in question --------------------------------------------------------


def two_inputs() -> onnx.ModelProto:
    """Two pictures go in; they are added."""
    return model(
        f"""({IMAGES} left, {IMAGES} right) => (float[batch, 2, height, width] scores) {{
            both = Add(left, right)
            scores = Conv(both, w)
        }}""",
        w=np.eye(2, 3).reshape(2, 3, 1, 1),
    )


def two_outputs() -> onnx.ModelProto:
    """`main` prefers the class of the brightest channel, `aux` that of the darkest."""
    return model(
        f"({IMAGES} image) => ({IMAGES} main, {IMAGES} aux) {{"
        " main = Identity(image) aux = Neg(image) }"
    )


def channels_last(height: int | str = "height", width: int | str = "width") -> onnx.ModelProto:
    """Takes [batch, height, width, 3]."""
    return model(
        f"(float[batch, {height}, {width}, 3] image) => (float[batch, 3, {height}, {width}] scores)"
        " { scores = Transpose<perm = [0, 3, 1, 2]>(image) }"
    )


def typed(kind: str) -> onnx.ModelProto:
    """Takes elements of type `kind`, such as `float16`, which the network sees as they are."""
    return model(
        f"({kind}[batch, 3, height, width] image) => ({IMAGES} scores)"
        " { scores = Cast<to = 1>(image) }"
    )


def label_map(*, chosen: bool = True) -> onnx.ModelProto:
    """Class indices [B, 1, H, W], int64: the brightest channel, or the rounded first one."""
    nodes = "labels = ArgMax<axis = 1>(image)"
    if not chosen:
        nodes = "red = Slice(image, start, stop, stop) labels = Cast<to = 7>(red)"
    return model(
        f"({IMAGES} image) => (int64[batch, 1, height, width] labels) {{ {nodes} }}",
        start=[0],
        stop=[1],
    )


def identity(shape: Sequence[Any], out: Sequence[Any] | None = None) -> onnx.ModelProto:
    """`image` of any declared shape goes through to `scores`."""
    g = Graph()
    g.add("Identity", "image", output="scores")
    answer = shape if out is None else out
    return g.model({"image": ("float32", shape)}, {"scores": ("float32", answer)})


def one_channel_map() -> onnx.ModelProto:
    """One channel of whole numbers, of which nobody can say what they are."""
    return model(
        f"({IMAGES} image) => (float[batch, 1, height, width] scores)"
        " { mean = ReduceMean<axes = [1]>(image) scores = Floor(mean) }"
    )


def multi_label() -> onnx.ModelProto:
    """A sigmoid for each class: labels that do not exclude each other."""
    return conv(contract=UNIT_RANGE, tail="scores = Sigmoid(raw)")


def softmax(**options: Any) -> onnx.ModelProto:
    """Probabilities."""
    return conv(contract=UNIT_RANGE, tail="scores = Softmax<axis = 1>(raw)", **options)
