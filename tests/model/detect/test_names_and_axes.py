"""Axes and tensors of any name, and outputs of unknown shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from convolution import CLASSES4, CONV, FREE, conv, is_the_function, opened
from graphs import Graph
from zoo import Dialect


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
