"""Every opset and file format gives the same function; unknown operators are refused by name."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import onnx
import onnxruntime
import pytest
from convolution import CLASSES4, CPU, FREE, around, conv, is_the_function, opened, simple
from graphs import Graph
from onnx import helper

from onnxcert import OnnxSegmenter
from onnxcert.errors import ModelError


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
