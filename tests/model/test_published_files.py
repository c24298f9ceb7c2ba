"""Traps that real, published files set, each rebuilt as a tiny graph."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import onnxruntime
import pytest
import zoo
from graphs import Graph
from onnx import helper, numpy_helper
from zoo import Conv3, Dialect

from onnxcert import Gaussian, OnnxSegmenter, certify
from onnxcert.errors import ContractError, ModelError
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model

CPU = {"device": "cpu", "threads": 1}
FREE = ["batch", 3, "height", "width"]
CLASSES4 = ["batch", 4, "height", "width"]
CONV = Conv3.random(4, seed=58)
PICTURE = zoo.picture(8, 6, seed=5)
RANGE = {"value_range": (0.0, 1.0)}


def conv(g: Graph, value: str = "image", output: str = "") -> str:
    """The function's convolution."""
    weight, bias = g.constant(CONV.weight, np.float32), g.constant(CONV.bias, np.float32)
    return g.add("Conv", value, weight, bias, output=output, pads=[1] * 4)


def simple(**options: Any) -> onnx.ModelProto:
    """The function and nothing else."""
    g = Graph()
    conv(g, output="answer")
    return g.model({"image": ("float32", FREE)}, {"answer": ("float32", CLASSES4)}, **options)


def around(
    nodes: str,
    answer: str = "float[batch, 4, height, width] answer",
    image: str = f"{graphs.IMAGES} image",
    **constants: Any,
) -> onnx.ModelProto:
    """A graph in which `Convolve(x)` stands for the function's convolution."""
    nodes = re.sub(r"Convolve\((\w+)\)", r"Conv<pads = [1, 1, 1, 1]>(\1, weight, bias)", nodes)
    constants = {"weight": CONV.weight, "bias": CONV.bias, **constants}
    return graphs.model(f"({image}) => ({answer}) {{ {nodes} }}", **constants)


def opened(proto: onnx.ModelProto, folder: Path, **contract: Any) -> OnnxSegmenter:
    path = graphs.save(proto, folder / "model.onnx")
    return OnnxSegmenter.open(path, **CPU, **{**RANGE, **contract})


def noisy(n: int = 7, pixels: np.ndarray = PICTURE) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 0.1, (n, *pixels.shape))
    return (pixels + noise).astype(np.float32)


def is_the_function(segmenter: OnnxSegmenter) -> None:
    batch = noisy()
    assert np.array_equal(segmenter(batch), CONV.scores(batch).argmax(axis=1))


def fixed_rows(segmenter: OnnxSegmenter) -> int | str:
    """Rows that the session takes: a number, or a symbol where they are free."""
    rows: int | str = segmenter.session.runtime.get_inputs()[0].shape[0]
    return rows


# -- scores that are not finite ------------------------------------------------------------------


@pytest.mark.parametrize("form", ["logits", "probabilities", "sigmoid", "logit", "multilabel"])
def test_nan_is_no_vote_in_any_form(form: str, tmp_path: Path) -> None:
    # A square root that lost its `+ 1e-8`: NaN wherever noise makes red negative.
    channels = 1 if form in ("sigmoid", "logit") else 2
    last = {"probabilities": "Softmax<axis = 1>", "sigmoid": "Sigmoid", "multilabel": "Sigmoid"}
    proto = around(
        f"""red = Slice(image, zero, one, one)
            root = Sqrt(red)
            scores = Conv(root, weights)
            answer = {last.get(form, "Identity")}(scores)""",
        f"float[batch, {channels}, height, width] answer",
        weights=np.arange(1.0, channels + 1).reshape(channels, 1, 1, 1),
        zero=[0],
        one=[1],
    )
    segmenter = opened(proto, tmp_path, output_form=form)
    black = np.zeros((3, 8, 6), np.float32)
    certificate = certify(segmenter, black, Gaussian(0.1), n=60, seed=1)
    assert certificate.abstained == certificate.labels.size
    # About half the draws are negative; none of them may count for any class.
    assert int(certificate.tally.hits.max()) < 50
    labels = int(np.prod(certificate.labels.shape))
    assert 0.4 < certificate.tally.nonfinite / (60 * labels) < 0.6


def test_a_nan_in_a_float_label_map_is_no_vote(tmp_path: Path) -> None:
    proto = around(
        "red = Slice(image, zero, one, one) answer = Sqrt(red)",
        "float[batch, 1, height, width] answer",
        zero=[0],
        one=[1],
    )
    segmenter = opened(proto, tmp_path, output_form="labels", classes=3)
    pixels = np.zeros((1, 3, 1, 4), np.float32)
    pixels[0, 0, 0] = [-1, 0, 1, 16]  # NaN, class 0, class 1, and 4, which is no class
    assert segmenter(pixels)[0, 0].tolist() == [255, 0, 1, 255]


# -- the batch axis ------------------------------------------------------------------------------


def baked(kind: str, rows: int) -> onnx.ModelProto:
    """A graph of `rows` fixed rows, with the ways in which exporters write them into it."""
    parts = ", ".join(f"part{i}" for i in range(rows))
    nodes = {
        "free": "answer = Identity(x)",
        "reshape": "answer = Reshape(x, whole)",
        "flattened": "flat = Reshape(x, rows) answer = Reshape(flat, whole)",
        "resize": 'answer = Resize<mode = "linear">(x, "", "", whole)',
        # x - mean over the batch + mean: nothing, for one row only
        "mean of one": """
            mean = ReduceMean<axes = [0]>(x)
            left = Mul(x, half)
            right = Mul(mean, half)
            answer = Add(left, right)
        """,
        "split": f"{parts} = Split<axis = 0>(x) answer = Concat<axis = 0>({parts})",
    }[kind]
    return around(
        f"x = Convolve(image) {nodes}",
        f"float[{rows}, 4, 8, 6] answer",
        f"float[{rows}, 3, 8, 6] image",
        whole=[rows, 4, 8, 6],
        rows=[rows, 4, -1],
        half=0.5,
    )


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("kind", ["free", "reshape", "flattened", "resize", "split"])
def test_a_fixed_batch_is_freed_only_if_the_graph_runs_so(
    kind: str, rows: int, tmp_path: Path
) -> None:
    segmenter = opened(baked(kind, rows), tmp_path)
    is_the_function(segmenter)
    # Split into one part is no split at all.
    free = kind == "free" or (kind, rows) == ("split", 1)
    assert fixed_rows(segmenter) == ("batch" if free else rows)


def test_a_batch_that_runs_when_freed_but_answers_otherwise_stays_fixed(tmp_path: Path) -> None:
    segmenter = opened(baked("mean of one", 1), tmp_path)
    is_the_function(segmenter)
    assert fixed_rows(segmenter) == 1


# -- draws that see each other -------------------------------------------------------------------


def quantised_over_the_batch() -> onnx.ModelProto:
    """Dynamic quantisation as the quantisers write it: DynamicQuantizeLinear and ConvInteger."""
    step = float(np.abs(CONV.weight).max()) / 127
    return around(
        """q, scale, zero = DynamicQuantizeLinear(image)
            whole = ConvInteger<pads = [1, 1, 1, 1]>(q, steps, zero)
            wide = Cast<to = 1>(whole)
            unit = Mul(scale, step)
            value = Mul(wide, unit)
            answer = Add(value, column)""",
        steps=np.rint(CONV.weight / step).astype(np.int8),
        step=step,
        column=CONV.bias.reshape(1, -1, 1, 1),
    )


def nearest_rows() -> onnx.ModelProto:
    """Scores taken from the row of the batch that is brightest, as a search over all rows would."""
    return around(
        """x = Convolve(image)
            brightness = ReduceMean<axes = [1, 2, 3], keepdims = 0>(image)
            index = ArgMax<axis = 0>(brightness)
            best = Gather<axis = 0>(x, index)
            both = Add(x, best)
            answer = Mul(both, half)""",
        half=0.5,
    )


@pytest.mark.parametrize("build", [quantised_over_the_batch, nearest_rows])
def test_batch_mates_that_leak_are_shown_one_draw_a_pass(
    build: Callable[[], onnx.ModelProto], tmp_path: Path
) -> None:
    segmenter = opened(build(), tmp_path)
    batch = noisy(6)
    alone = np.concatenate([segmenter(batch[i : i + 1]) for i in range(6)])
    assert not np.array_equal(segmenter(batch), alone), "the trap must be one"
    single, many = (
        certify(segmenter, PICTURE, Gaussian(0.1), n=40, seed=2, batch_size=b) for b in (1, 6)
    )
    assert np.array_equal(single.tally.hits, many.tally.hits)
    assert any("one draw per pass" in note for note in many.notes)


@pytest.mark.parametrize("rows", [1, 4])
def test_leaking_rows_of_a_fixed_batch_never_depend_on_what_fills_it(
    rows: int, tmp_path: Path
) -> None:
    proto = quantised_over_the_batch()
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = rows
    segmenter = opened(proto, tmp_path)
    single, many = (
        certify(segmenter, PICTURE, Gaussian(0.1), n=40, seed=2, batch_size=b) for b in (1, 6)
    )
    assert np.array_equal(single.tally.hits, many.tally.hits)


@pytest.mark.parametrize("operator", ["RandomNormalLike", "RandomUniformLike", "Bernoulli"])
def test_a_random_start_is_refused_by_name(operator: str, tmp_path: Path) -> None:
    proto = around(
        f"""clipped = Clip(image, low, high)
            start = {operator}(clipped)
            sum = Add(image, start)
            answer = Convolve(sum)""",
        low=0.0,
        high=1.0,
    )
    with pytest.raises(ModelError, match=f"{operator}.*draws random numbers"):
        opened(proto, tmp_path)


# -- several outputs -----------------------------------------------------------------------------


def two_heads_and_a_count() -> onnx.ModelProto:
    """The function, its negative at 1/2 of the resolution, and how bright the picture is."""
    return around(
        """main = Convolve(image)
            negative = Neg(main)
            aux = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(negative)
            count = ReduceMean<keepdims = 0>(image)""",
        "float count, float[batch, 4, height, width] main, float[batch, 4, h, w] aux",
    )


def test_one_head_beside_a_count_is_taken(tmp_path: Path) -> None:
    proto = two_heads_and_a_count()
    del proto.graph.output[2]
    is_the_function(opened(proto, tmp_path))


def test_a_scalar_input_is_not_mistaken_for_a_picture(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="--feed extra=VALUE"):
        opened(with_feed("float", []), tmp_path)


def test_a_scalar_output_is_no_candidate_but_two_heads_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="pass --output main or --output aux"):
        opened(two_heads_and_a_count(), tmp_path)
    is_the_function(opened(two_heads_and_a_count(), tmp_path, output="main"))
    lower = opened(two_heads_and_a_count(), tmp_path, output="aux")(noisy())
    assert lower.shape == (7, 8, 6)
    with pytest.raises(ContractError, match="'count' has 0 axes"):
        opened(two_heads_and_a_count(), tmp_path, output="count")


# -- axes and names ------------------------------------------------------------------------------


@pytest.mark.parametrize("free", [-1, 0, "None", "?", "unk__1", "batch size:0", None])
def test_a_free_axis_is_free_whatever_it_is_called(free: int | str | None, tmp_path: Path) -> None:
    g = Graph()
    conv(g, output="answer")
    proto = g.model(
        {"image": ("float32", [free, 3, free, free])},
        {"answer": ("float32", [free, 4, free, free])},
    )
    segmenter = opened(proto, tmp_path)
    assert (segmenter.contract.batch, segmenter.contract.size) == (None, None)
    is_the_function(segmenter)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_an_output_of_unknown_shape_is_known_by_its_last_node(layout: str, tmp_path: Path) -> None:
    proto = Dialect(layout=layout, output_layout=layout).proto(CONV)
    del proto.graph.node[-1]
    proto.graph.node[-1].output[0] = "answer"
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    is_the_function(opened(proto, tmp_path))


def test_a_label_map_of_unknown_rank(tmp_path: Path) -> None:
    proto = Dialect(form="labels", answer_type="int64", answer_rank=3).proto(CONV)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    is_the_function(opened(proto, tmp_path))


NAMES = ("serving_default_input:0", "module/sub/x", "a b", "a,b", "x=y", "input.1", "é", "--input")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_kind_reach_the_graph(name: str, tmp_path: Path) -> None:
    proto = renamed(Dialect(feed="vector").proto(CONV), image=name, answer=f"{name}/out")
    fed = {"feeds": (("bias", CONV.bias.tolist()),)}
    is_the_function(opened(proto, tmp_path, **fed))
    is_the_function(opened(proto, tmp_path, **fed, input=name, output=f"{name}/out"))


@pytest.mark.parametrize("name", ["bias:0", "scope/bias", "x=y", "é"])
def test_feeds_of_any_name_are_given_on_the_command_line(
    name: str, onnxcert: Any, tmp_path: Path
) -> None:
    proto = renamed(Dialect(feed="vector").proto(CONV), bias=name)
    path = graphs.save(proto, tmp_path / "model.onnx")
    values = ",".join(map(str, CONV.bias.tolist()))
    done = onnxcert("inspect", path, "--range", "0,1", f"--feed={name}={values}")
    assert done.status == 0, done.err
    np.save(tmp_path / "values.npy", CONV.bias)
    done = onnxcert("inspect", path, "--range", "0,1", f"--feed={name}={tmp_path / 'values.npy'}")
    assert done.status == 0, done.err


def renamed(proto: onnx.ModelProto, **names: str) -> onnx.ModelProto:
    """`proto` with tensors called otherwise."""
    for node in proto.graph.node:
        for side in (node.input, node.output):
            for i, name in enumerate(side):
                side[i] = names.get(name, name)
    for value in (*proto.graph.input, *proto.graph.output):
        value.name = names.get(value.name, value.name)
    return proto


def test_hundreds_of_weights_listed_as_inputs_are_not_inputs(tmp_path: Path) -> None:
    g = Graph()
    value = "image"
    for _ in range(379):  # one constant a node, as a deep network has
        value = g.add("Add", value, g.constant(np.zeros((1, 3, 1, 1)), np.float32))
    conv(g, value, output="answer")
    proto = g.model({"image": ("float32", FREE)}, {"answer": ("float32", CLASSES4)}, opset=9, ir=3)
    assert len(proto.graph.input) == 1 + 379 + 2
    is_the_function(opened(proto, tmp_path))


# -- versions ------------------------------------------------------------------------------------


def net_at(opset: int) -> onnx.ModelProto:
    """Convolution, BatchNormalization, pooling, enlarging: in the form each opset has them."""
    g = Graph()
    value = conv(g)
    ones, zeros = g.constant(np.ones(4), np.float32), g.constant(np.zeros(4), np.float32)
    spatial = {"spatial": 1} if opset < 9 else {}
    value = g.add("BatchNormalization", value, ones, zeros, zeros, ones, epsilon=0.0, **spatial)
    # There and back again: every pixel doubled, then the mean of the four.
    factors = g.constant([1, 1, 2, 2], np.float32)
    if opset < 9:
        value = g.add("Upsample", value, mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])
    elif opset == 9:
        value = g.add("Upsample", value, factors, mode="nearest")
    elif opset == 10:
        value = g.add("Resize", value, factors, mode="nearest")
    else:
        roi = g.constant(np.zeros(0), np.float32)
        asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        value = g.add("Resize", value, roi, factors, mode="nearest", **asymmetric)
    value = g.add("AveragePool", value, kernel_shape=[2, 2], strides=[2, 2])
    if opset < 11:
        value = g.add("Clip", value, min=-1e6, max=1e6)
    else:
        value = g.add("Clip", value, g.constant(-1e6, np.float32), g.constant(1e6, np.float32))
    # Before 13 softmax flattens what follows its axis: channels last, it means the same.
    value = g.add("Transpose", value, perm=[0, 2, 3, 1])
    value = g.add("Softmax", value, axis=3)
    g.add("Transpose", value, perm=[0, 3, 1, 2], output="answer")
    return g.model(
        {"image": ("float32", FREE)},
        {"answer": ("float32", CLASSES4)},
        opset=opset,
        ir=3 if opset < 9 else 8,
    )


def newest() -> int:
    """The newest opset that both this onnx and this ONNX Runtime have."""
    for opset in range(onnx.defs.onnx_opset_version(), 13, -1):
        g = Graph()
        g.add("Identity", "image", output="answer")
        proto = g.model({"image": ("float32", FREE)}, {"answer": ("float32", FREE)}, opset=opset)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception:
            continue
        return opset
    return 13


@pytest.mark.parametrize("opset", range(7, newest() + 1))
def test_every_opset_gives_the_function(opset: int, tmp_path: Path) -> None:
    segmenter = opened(net_at(opset), tmp_path)
    assert segmenter.file.opset == opset
    is_the_function(segmenter)


def test_an_opset_newer_than_the_runtime_is_named(tmp_path: Path) -> None:
    proto = simple()
    proto.opset_import[0].version = newest() + 40
    with pytest.raises(ModelError, match=str(newest() + 40)):
        opened(proto, tmp_path)


def test_metadata_survives_the_conversion_of_an_old_opset(tmp_path: Path) -> None:
    proto = net_at(9)
    helper.set_model_props(proto, {"onnxcert": '{"version": 1, "value_range": [0, 1]}'})
    path = graphs.save(proto, tmp_path / "model.onnx")
    is_the_function(OnnxSegmenter.open(path, **CPU))


@pytest.mark.parametrize("ir", range(3, 11))
def test_every_version_of_the_file_format(ir: int, tmp_path: Path) -> None:
    opset = 9 if ir < 5 else 13 if ir < 8 else 17
    is_the_function(opened(simple(opset=opset, ir=ir), tmp_path))


@pytest.mark.parametrize(
    "domain",
    ["org.pytorch.aten", "com.example", "ai.onnx.ml", "ai.onnx.training", "com.microsoft.mlfeat"],
)
@pytest.mark.parametrize("version", [1, 4])
def test_an_opset_domain_without_nodes_does_not_matter(
    domain: str, version: int, tmp_path: Path
) -> None:
    is_the_function(opened(simple(domains=[(domain, version)]), tmp_path))


def test_a_known_domain_of_an_unknown_version_without_nodes_does_not_matter(
    tmp_path: Path,
) -> None:
    is_the_function(opened(simple(domains=[("ai.onnx.ml", 99)]), tmp_path))


def test_the_default_domain_under_its_other_name(tmp_path: Path) -> None:
    proto = simple(opset=12)
    proto.opset_import[0].domain = "ai.onnx"
    is_the_function(opened(proto, tmp_path))


@pytest.mark.parametrize("domain", ["com.example", "org.pytorch.aten", "mmdeploy"])
@pytest.mark.parametrize("opset", [11, 17])
def test_a_custom_operator_is_named_and_refused(domain: str, opset: int, tmp_path: Path) -> None:
    proto = around(f"x = {domain}.DeformConv(image) answer = Convolve(x)", opset=opset)
    proto.opset_import.append(helper.make_opsetid(domain, 1))
    with pytest.raises(ModelError, match=f"{domain}.DeformConv"):
        opened(proto, tmp_path)


def test_an_operator_that_no_domain_has_is_named_and_refused(tmp_path: Path) -> None:
    proto = around("x = GridSampleND(image) answer = Convolve(x)")
    with pytest.raises(ModelError, match="GridSampleND"):
        opened(proto, tmp_path)


def test_an_operator_of_the_runtimes_own_is_no_custom_one(tmp_path: Path) -> None:
    proto = around(
        """x = com.microsoft.Gelu(image)
            nothing = Mul(x, zero)
            sum = Add(image, nothing)
            answer = Convolve(sum)""",
        zero=0.0,
    )
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    is_the_function(opened(proto, tmp_path))


# -- quantised and half-precision models ---------------------------------------------------------


def rounded(values: np.ndarray, scale: float, zero: int, kind: str) -> np.ndarray:
    limits = np.iinfo(kind)
    steps = np.clip(np.rint(values / np.float32(scale)) + zero, limits.min, limits.max)
    quantised: np.ndarray = steps.astype(kind)
    return quantised


def quantised_scores(batch: np.ndarray) -> np.ndarray:
    """The function on pixels in steps of 1/50 with weights in steps of their own; float64."""
    pixels = (rounded(batch, 0.02, 100, "uint8").astype(np.float64) - 100) * np.float32(0.02)
    step = np.float32(np.abs(CONV.weight).max() / 127)
    weight = np.rint(CONV.weight / step) * np.float64(step)
    return Conv3(weight, CONV.bias).scores(pixels)


def qdq() -> onnx.ModelProto:
    """QuantizeLinear and DequantizeLinear around a float convolution."""
    step = np.float32(np.abs(CONV.weight).max() / 127)
    return around(
        """q = QuantizeLinear(image, scale, zero)
            x = DequantizeLinear(q, scale, zero)
            w = DequantizeLinear(steps, step)
            answer = Conv<pads = [1, 1, 1, 1]>(x, w, bias)""",
        steps=np.rint(CONV.weight / step).astype(np.int8),
        step=step,
        scale=0.02,
        zero=np.uint8(100),
    )


def qoperator(image: str = "float", channels: int | str = 3) -> onnx.ModelProto:
    """QLinearConv, whose scores are 8-bit steps again."""
    step = np.float32(np.abs(CONV.weight).max() / 127)
    shape = () if image == "float" else (1,)
    first = "q = QuantizeLinear(image, scale, zero)" if image == "float" else "q = Identity(image)"
    return around(
        f"""{first}
            x = QLinearConv<pads = [1, 1, 1, 1]>(
                q, scale, zero, steps, step, none, out_scale, out_zero, whole
            )
            answer = DequantizeLinear(x, out_scale, out_zero)""",
        image=f"{image}[batch, {channels}, height, width] image",
        scale=np.full(shape, 0.02),
        zero=np.full(shape, 100, np.uint8),
        steps=np.rint(CONV.weight / step).astype(np.int8),
        step=step,
        none=np.int8(0),
        out_scale=0.25,
        out_zero=np.uint8(128),
        whole=np.rint(CONV.bias / (np.float32(0.02) * step)).astype(np.int32),
    )


def test_a_model_with_rounded_values_is_certified_with_its_rounding(tmp_path: Path) -> None:
    segmenter = opened(qdq(), tmp_path)
    batch = noisy()
    # The runtime may fuse the pair into an integer convolution: close calls may fall otherwise.
    scores = np.sort(quantised_scores(batch), axis=1)
    clear = scores[:, -1] - scores[:, -2] > 0.05
    labels = quantised_scores(batch).argmax(axis=1)
    assert clear.mean() > 0.9
    assert np.array_equal(segmenter(batch)[clear], labels[clear])
    assert_batch_invariant(segmenter)


def test_an_integer_convolution_is_the_function_up_to_its_rounding(tmp_path: Path) -> None:
    segmenter = opened(qoperator(), tmp_path)
    batch = noisy()
    scores = np.sort(quantised_scores(batch), axis=1)
    clear = scores[:, -1] - scores[:, -2] > 0.5  # scores are rounded to quarters
    labels = quantised_scores(batch).argmax(axis=1)
    assert clear.mean() > 0.5
    assert np.array_equal(segmenter(batch)[clear], labels[clear])
    assert_batch_invariant(segmenter)


def test_an_integer_convolution_that_reads_an_input_without_a_shape(tmp_path: Path) -> None:
    # Its second input is a scale, not the weights: nothing about channels can be read from it.
    proto = qoperator("uint8", "c0")
    segmenter = opened(proto, tmp_path, value_range=(100, 150))
    assert segmenter(noisy()).shape == (7, 8, 6)


def assert_batch_invariant(segmenter: OnnxSegmenter) -> None:
    certificate = certify(segmenter, PICTURE, Gaussian(0.1), n=40, seed=2, batch_size=5)
    alone = certify(segmenter, PICTURE, Gaussian(0.1), n=40, seed=2, batch_size=1)
    assert np.array_equal(certificate.tally.hits, alone.tally.hits)
    assert certificate.notes == alone.notes


def test_a_half_precision_network_answers_in_half_precision(tmp_path: Path) -> None:
    proto = around(
        "answer = Convolve(image)",
        "float16[batch, 4, height, width] answer",
        "float16[batch, 3, height, width] image",
        weight=CONV.weight.astype(np.float16),
        bias=CONV.bias.astype(np.float16),
    )
    segmenter = opened(proto, tmp_path)
    batch = noisy()
    scores = np.sort(CONV.scores(batch), axis=1)
    clear = scores[:, -1] - scores[:, -2] > 0.05
    assert clear.mean() > 0.9
    assert np.array_equal(segmenter(batch)[clear], CONV.scores(batch).argmax(axis=1)[clear])


# -- two readings --------------------------------------------------------------------------------


def one_channel() -> onnx.ModelProto:
    return Dialect(form="logit").proto(Conv3.random(2, seed=58))


def unnamed_axes(out: str = "n, p, q, r") -> onnx.ModelProto:
    """An input whose channels may be second or last."""
    return graphs.model(
        f"(float[n, p, q, r] image) => (float[{out}] answer)"
        " { shape = Shape(image) answer = Reshape(image, shape) }"
    )


def three_by_three() -> onnx.ModelProto:
    """Three channels, three rows: each axis might be the channels."""
    text = "(float[n, 3, 5, 3] image) => (float[n, 3, 5, 3] answer) { answer = Softplus(image) }"
    return graphs.model(text)


def two_pictures() -> onnx.ModelProto:
    return around(
        "y = Mul(right, half) sum = Add(left, y) answer = Convolve(sum)",
        "float[1, 4, 8, 6] answer",
        "float[1, 3, 8, 6] left, float[1, 3, 8, 6] right",
        half=0.5,
    )


def sigmoids() -> onnx.ModelProto:
    return Dialect(form="multilabel").proto(CONV)


# What leaves two readings, flags already given, and the flags that a shown reading still needs.
AMBIGUOUS: dict[str, tuple[Callable[[], onnx.ModelProto], list[str], list[str]]] = {
    "range": (simple, [], []),
    "two heads": (two_heads_and_a_count, ["--range", "0,1"], []),
    "two pictures": (two_pictures, ["--range", "0,1"], ["--feed", "{other}=0.5"]),
    "layout": (unnamed_axes, ["--range", "0,1"], ["--output-layout", "{value}"]),
    "layout of square": (
        three_by_three,
        ["--range", "0,1", "--resize"],
        ["--output-layout", "{value}"],
    ),
    "mean and std": (simple, ["--mean", "0.5,0.5,0.5", "--std", "58,57,57"], []),
    "black mean": (simple, ["--mean", "0,0,0", "--std", "2,2,2"], []),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_two_readings_are_refused_with_the_flags_of_each_and_each_works(
    case: str, tmp_path: Path, onnxcert: Any
) -> None:
    build, flags, more = AMBIGUOUS[case]
    path = graphs.save(build(), tmp_path / "model.onnx")
    shot = zoo.write_picture(tmp_path / "shot.png", PICTURE)
    flags = [*flags, "--sigma", "0.1", "--n", "60", "--threads", "1", "--device", "cpu"]
    asked = onnxcert("certify", path, shot, *flags, "--out", tmp_path / "none")
    shown = readings(asked.err)
    assert asked.status == 2
    assert len(shown) >= 2, asked.err
    names = [i.name for i in onnx.load(path).graph.input]
    for option, value in shown:
        other = next((n for n in names if n != value), "")
        extra = [m.format(other=other, value=value) for m in more]
        out = tmp_path / f"{option}{value}".replace("/", "")
        done = onnxcert("certify", path, shot, *flags, option, value, *extra, "--out", out)
        assert done.status == 0, f"{option} {value}: {done.err}"


def test_a_trial_drops_the_readings_that_its_values_contradict(
    tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(one_channel(), tmp_path / "model.onnx")
    asked = onnxcert("inspect", path, "--range", "0,1")
    assert readings(asked.err) == [("--output-form", "logit")]


def test_a_trial_settles_the_layout_of_unnamed_axes(tmp_path: Path) -> None:
    path = graphs.save(unnamed_axes("n, x, y, z"), tmp_path / "model.onnx")
    contract = detect(read_model(path), {"value_range": (0.0, 1.0), "layout": "NCHW"})
    assert (contract.output_layout, contract.classes) == ("NCHW", 3)


def readings(message: str) -> list[tuple[str, str]]:
    """The flags with a value that the sentence of a message shows."""
    sentence = message.partition("\n")[0]
    return [
        (option, value.rstrip(".,;"))
        for option, value in re.findall(r"(--[a-z-]+) ([A-Za-z0-9_,.:/-]+)", sentence)
        if value not in ("and", "or", "if", "as", "NUMBER", "NAME")
    ]


@pytest.mark.parametrize("form", ["logits", "probabilities"])
def test_sigmoids_for_each_class_are_refused_under_argmax(form: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="--output-form multilabel"):
        opened(sigmoids(), tmp_path)
    with pytest.raises(ContractError, match="do not exclude each other"):
        opened(sigmoids(), tmp_path, output_form=form)
    assert opened(sigmoids(), tmp_path, output_form="multilabel")(noisy()).shape == (7, 4, 8, 6)


@pytest.mark.parametrize("form", ["labels", "sigmoid", "logit"])
def test_a_form_of_one_channel_is_refused_where_there_are_four(form: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="--output-form"):
        opened(simple(), tmp_path, output_form=form, classes=4 if form == "labels" else None)


def test_a_signed_integer_input_is_not_offered_a_range_it_cannot_hold(tmp_path: Path) -> None:
    proto = Dialect(dtype="int8", value_range=(-128, 127)).proto(CONV)
    path = graphs.save(proto, tmp_path / "model.onnx")
    with pytest.raises(ContractError) as refused:
        OnnxSegmenter.open(path, **CPU)
    assert "0,255" not in str(refused.value)
    assert "-128,127" in str(refused.value)


@pytest.mark.parametrize(
    ("dtype", "value_range"), [("int8", (0, 255)), ("uint8", (0, 1)), ("uint8", (-1, 1))]
)
def test_a_range_that_an_integer_input_cannot_hold_is_refused(
    dtype: str, value_range: tuple[float, float], tmp_path: Path
) -> None:
    proto = Dialect(dtype=dtype, value_range=(0, 127)).proto(CONV)
    with pytest.raises(ContractError, match=dtype):
        opened(proto, tmp_path, value_range=value_range)


# -- further inputs ------------------------------------------------------------------------------


def with_feed(kind: str, shape: list[Any]) -> onnx.ModelProto:
    """The function plus nothing times a further input of `kind` and `shape`."""
    return around(
        """extra_float = Cast<to = 1>(extra)
            most = ReduceMax<keepdims = 0>(extra_float)
            nothing = Mul(most, zero)
            sum = Add(image, nothing)
            answer = Convolve(sum)""",
        image=f"{graphs.IMAGES} image, {kind}[{', '.join(map(str, shape))}] extra"
        if shape
        else f"{graphs.IMAGES} image, {kind} extra",
        zero=0.0,
    )


@pytest.mark.parametrize(
    ("kind", "value"), [("uint8", 300), ("int8", -200), ("uint8", 2.5), ("int64", 2**70)]
)
def test_a_feed_that_its_input_cannot_hold_is_refused(
    kind: str, value: Any, tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match="extra"):
        opened(with_feed(kind, [1]), tmp_path, feeds=(("extra", value),))


@pytest.mark.parametrize(
    "shape",
    [[], [1], [3], ["batch", 1], ["batch", 3], [1, 1, 1, 1]],
)
def test_one_number_fills_a_further_input(shape: list[Any], tmp_path: Path) -> None:
    is_the_function(opened(with_feed("float", shape), tmp_path, feeds=(("extra", 2.0),)))


# -- contracts that nobody could mean ------------------------------------------------------------


MEANT_BY_NOBODY = {
    "deep": "[" * 100_000,
    "huge range": f'{{"version": 1, "value_range": [0, {10**400}]}}',
    "huge sigma": f'{{"version": 1, "trained_sigma": {10**400}}}',
    "nan threshold": '{"version": 1, "value_range": [0, 1], "threshold": NaN}',
    "huge batch": '{"version": 1, "value_range": [0, 1], "batch": 1000000000000}',
    "huge classes": f'{{"version": 1, "value_range": [0, 1], "classes": {2**70}}}',
    "unnamed": '{"version": 1, "value_range": [0, 1], "input": ""}',
}


@pytest.mark.parametrize("text", MEANT_BY_NOBODY.values(), ids=MEANT_BY_NOBODY)
def test_a_contract_that_cannot_be_meant_is_one_sentence(text: str, tmp_path: Path) -> None:
    path = graphs.save(simple(contract=text), tmp_path / "model.onnx")
    with pytest.raises(ModelError):
        OnnxSegmenter.open(path, **CPU)(noisy())


@pytest.mark.parametrize("flag", ["--input", "--output"])
def test_an_empty_name_is_refused(flag: str, tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(simple(), tmp_path / "model.onnx")
    done = onnxcert("inspect", path, "--range", "0,1", flag, "")
    assert done.status == 2


def test_an_input_with_a_default_need_not_be_fed(tmp_path: Path) -> None:
    # An input that is an initialiser too is a default that nobody has to give.
    proto = Dialect(feed="vector").proto(CONV)
    proto.graph.initializer.append(numpy_helper.from_array(CONV.bias, "bias"))
    is_the_function(opened(proto, tmp_path))
