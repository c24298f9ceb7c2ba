"""Models that label nothing are refused unless somebody says what their output holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from graphs import Graph, save
from onnx import helper

from onnxcert.errors import ContractError
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model
from onnxcert.model.segmenter import OnnxSegmenter

UNIT: dict[str, Any] = {"value_range": (0.0, 1.0)}
FREE: list[Any] = ["batch", 3, "height", "width"]


def contract_of(proto: onnx.ModelProto, folder: Path, *, names: Any = (), **given: Any) -> Any:
    return detect(read_model(save(proto, folder / "model.onnx")), {**UNIT, **given}, names=names)


# -- images ----------------------------------------------------------------------------------------


def image_to_image(ending: str, channels: int = 3, out: int = 3) -> onnx.ModelProto:
    """As many channels out as in, bounded at the end as images are."""
    g = Graph()
    weight = np.ones((out, channels, 1, 1), np.float32)
    value = g.add("Conv", "image", g.constant(weight, np.float32))
    low, high = g.constant(0.0, np.float32), g.constant(1.0, np.float32)
    match ending:
        case "Clip":
            value = g.add("Clip", value, low, high)
        case "Clip, scaled and turned":
            value = g.add("Mul", g.add("Clip", value, low, high), g.constant(255.0, np.float32))
            value = g.add("Transpose", value, perm=[0, 2, 3, 1])
        case "Tanh, to one":
            value = g.add("Mul", g.add("Tanh", value), g.constant(0.5, np.float32))
            value = g.add("Add", g.constant(0.5, np.float32), value)
        case "Max and Min":
            value = g.add("Min", g.add("Max", value, low), high)
        case "Clip from below":
            value = g.add("Clip", value, low)
        case "Max":
            value = g.add("Max", value, low)
        case "gated":
            value = g.add("Mul", g.add("Tanh", value), value)
        case "":
            pass
        case _:
            value = g.add(ending, value)
    g.add("Identity", value, output="answer")
    shape: list[Any] = ["batch", out, "height", "width"]
    if "turned" in ending:
        shape = ["batch", "height", "width", out]
    return g.model(
        {"image": ("float32", ["batch", channels, "height", "width"])},
        {"answer": ("float32", shape)},
    )


BOUNDED = ("Clip", "Clip, scaled and turned", "Tanh", "Tanh, to one", "Max and Min")


@pytest.mark.parametrize("ending", BOUNDED)
@pytest.mark.parametrize("channels", [3, 4])
def test_an_image_is_no_answer_unless_its_form_is_said(
    tmp_path: Path, ending: str, channels: int
) -> None:
    proto = image_to_image(ending, channels, channels)
    given = {"channel_order": "RGBA"} if channels == 4 else {}
    with pytest.raises(ContractError, match=r"may be an image.*pass --output-form logits"):
        contract_of(proto, tmp_path, **given)
    said = contract_of(proto, tmp_path, output_form="logits", **given)
    assert (said.classes, said.sources["output_form"]) == (channels, "given")


@pytest.mark.parametrize("who", ["contract", "metadata", "sidecar", "user"])
def test_names_of_classes_say_that_it_is_none(tmp_path: Path, who: str) -> None:
    proto = image_to_image("Clip")
    names: Any = ()
    given: dict[str, Any] = {}
    match who:
        case "contract":
            given["class_names"] = ("sky", "road", "car")
        case "metadata":
            helper.set_model_props(proto, {"names": "{0: 'sky', 1: 'road', 2: 'car'}"})
        case "sidecar":
            content = {"id2label": {"0": "sky", "1": "road", "2": "car"}}
            (tmp_path / "config.json").write_text(json.dumps(content))
        case "user":
            names = ("sky", "road", "car")
    assert contract_of(proto, tmp_path, names=names, **given).output_form == "logits"


@pytest.mark.parametrize(
    ("ending", "channels", "out"),
    [
        ("", 3, 3),
        ("Clip", 3, 4),
        ("Clip", 1, 2),
        ("Relu", 3, 3),
        ("Softmax", 3, 3),
        ("Clip from below", 3, 3),
        ("Max", 3, 3),
        ("gated", 3, 3),
    ],
)
def test_what_is_bounded_otherwise_is_taken_for_scores(
    tmp_path: Path, ending: str, channels: int, out: int
) -> None:
    found = contract_of(image_to_image(ending, channels, out), tmp_path)
    assert found.output_form == ("probabilities" if ending == "Softmax" else "logits")


def test_a_sigmoid_alone_is_told_by_the_lint(tmp_path: Path) -> None:
    path = save(image_to_image("Sigmoid"), tmp_path / "model.onnx")
    model = OnnxSegmenter.open(path, output_form="multilabel", device="cpu", **UNIT)
    assert [f.severity for f in model.findings if "may be an image" in f.message] == ["warning"]
    four = save(image_to_image("Sigmoid", 3, 4), tmp_path / "four.onnx")
    assert not OnnxSegmenter.open(four, output_form="multilabel", device="cpu", **UNIT).findings


# -- instances and boxes ---------------------------------------------------------------------------


def instances(*, boxes: str = "[1, 116, 256]", protos: str = "output1") -> onnx.ModelProto:
    """32 prototypes of masks at a quarter of the resolution, and boxes that weigh them."""
    return graphs.model(
        f"""(float[1, 3, 64, 64] image) => (float{boxes} output0, float[1, 32, 16, 16] {protos}) {{
            {protos} = Conv<strides = [4, 4]>(image, w)
            rows = Reshape({protos}, flat)
            rest = Slice(rows, zero, more, axis)
            output0 = Concat<axis = 1>(rows, rows, rows, rest)
        }}""",
        w=np.random.default_rng(0).normal(size=(32, 3, 4, 4)),
        flat=[1, 32, 256],
        zero=[0],
        more=[20],
        axis=[1],
    )


@pytest.mark.parametrize(
    ("proto", "why"),
    [
        (instances(), "prototypes"),
        (instances(boxes="[1, 256, 116]"), "prototypes"),
        (instances(boxes="[batch, 116, anchors]"), "an axis of anchors"),
        (instances(boxes="[]", protos="protos"), "prototypes"),
    ],
    ids=["shapes", "boxes first", "anchors", "name"],
)
def test_instance_models_are_refused(tmp_path: Path, proto: onnx.ModelProto, why: str) -> None:
    with pytest.raises(ContractError, match=why) as refused:
        contract_of(proto, tmp_path)
    assert "--output-form" in str(refused.value)
    name = next(o.name for o in proto.graph.output if o.name != "output0")
    with pytest.raises(ContractError, match=why):
        contract_of(proto, tmp_path, output=name)
    said = contract_of(proto, tmp_path, output=name, output_form="logits")
    assert (said.classes, said.output) == (32, name)


@pytest.mark.parametrize("task", ["segment", "detect", "pose", "obb"])
def test_exports_that_say_they_find_objects_are_refused(tmp_path: Path, task: str) -> None:
    proto = graphs.conv(3)
    helper.set_model_props(proto, {"task": task})
    with pytest.raises(ContractError, match=f"its task is '{task}'"):
        contract_of(proto, tmp_path)
    assert contract_of(proto, tmp_path, output_form="logits").classes == 3


def test_another_task_in_the_metadata_is_no_reason(tmp_path: Path) -> None:
    proto = graphs.conv(3)
    helper.set_model_props(proto, {"task": "semantic-segmentation"})
    assert contract_of(proto, tmp_path).classes == 3


# -- probabilities ---------------------------------------------------------------------------------


def test_an_ensemble_of_trees_gives_probabilities(tmp_path: Path) -> None:
    """Each pixel is a row of three values; red above one half votes for class 1."""
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["rows"],
        ["votes"],
        domain="ai.onnx.ml",
        n_targets=2,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        nodes_missing_value_tracks_true=[0, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 1],
        target_weights=[1.0, 1.0],
    )
    proto = graphs.model(
        """(float[batch, 3, 8, 6] image) => (float[batch, 2, 8, 6] scores) {
            last = Transpose<perm = [0, 2, 3, 1]>(image)
            rows = Reshape(last, pixel)
            square = Reshape(votes, picture)
            scores = Transpose<perm = [0, 3, 1, 2]>(square)
        }""",
        pixel=[-1, 3],
        picture=[-1, 8, 6, 2],
    )
    proto.graph.node.insert(2, tree)
    proto.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    found = contract_of(proto, tmp_path)
    assert found.output_form == "probabilities"
    assert found.sources["output_form"] == "the graph: it ends in TreeEnsembleRegressor"
    picture = np.random.default_rng(0).random((2, 3, 8, 6), dtype=np.float32)
    model = OnnxSegmenter.open(tmp_path / "model.onnx", device="cpu", **UNIT)
    np.testing.assert_array_equal(model(picture), picture[:, 0] > 0.5)
