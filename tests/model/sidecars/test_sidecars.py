"""What other programs wrote about a model is taken as if the user had said it, with its source."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
import sidecars
from drawing import write_picture
from onnx import helper, numpy_helper
from refusals import one_sentence

from onnxcert import OnnxSegmenter
from onnxcert.errors import ContractError
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model
from onnxcert.model.sidecars.source import MOST

CPU = {"device": "cpu", "threads": 1}
MEAN, STD = tuple(sidecars.MEAN), tuple(sidecars.STD)
IMAGENET: dict[str, Any] = {"value_range": (0.0, 1.0), "mean": MEAN, "std": STD}
BYTES: dict[str, Any] = {
    "value_range": (0.0, 255.0),
    "mean": (123.675, 116.28, 103.53),
    "std": (58.395, 57.12, 57.375),
}
PREPROCESSOR = "preprocessor_config.json"
HERE = Path("model.onnx")


def preprocessor(**other: Any) -> dict[str, Any]:
    """The files of a snapshot; None leaves a key of the preprocessor's out."""
    said = {k: v for k, v in {**sidecars.SEGFORMER, **other}.items() if v != "absent"}
    return {PREPROCESSOR: said, "config.json": sidecars.CONFIG}


def mmdeploy(**normalise: Any) -> dict[str, Any]:
    return {"deploy.json": sidecars.DEPLOY, "pipeline.json": sidecars.pipeline(**normalise)}


def model() -> onnx.ModelProto:
    """Four classes, whose scores depend on the order of the channels and on their scale."""
    return graphs.conv(4, bias=np.array([0.0, 0.1, -0.1, 0.2]), seed=3)


def contract_of(
    folder: Path, *source: Any, proto: Any = None, name: str = "model.onnx", **given: Any
) -> Any:
    path = sidecars.write(folder, proto or model(), *source, name=name)
    return detect(read_model(path), given)


def refusal(folder: Path, *source: Any, proto: Any = None, **given: Any) -> str:
    with one_sentence(ContractError) as caught:
        contract_of(folder, *source, proto=proto, **given)
    return str(caught.value)


# -- each source ---------------------------------------------------------------------------------

# (files beside the model, metadata in it) -> what they mean, as flags would say it.
SOURCES: dict[str, tuple[tuple[Any, Any], dict[str, Any], str]] = {
    "transformers": ((preprocessor(), {}), IMAGENET, PREPROCESSOR),
    "of an earlier version": (
        (preprocessor(do_rescale="absent", rescale_factor="absent"), {}),
        IMAGENET,
        PREPROCESSOR,
    ),
    "not rescaled": (
        (preprocessor(do_rescale=False, image_mean=[120.0], image_std=[60.0]), {}),
        {"value_range": (0.0, 255.0), "mean": (120.0,), "std": (60.0,)},
        PREPROCESSOR,
    ),
    "from -1 to 1": (
        (preprocessor(rescale_factor=1 / 127.5, rescale_offset=True, do_normalize=False), {}),
        {"value_range": (-1.0, 1.0)},
        PREPROCESSOR,
    ),
    "no step that normalises": (
        (preprocessor(do_normalize="absent", image_mean="absent", image_std="absent"), {}),
        {"value_range": (0.0, 1.0)},
        PREPROCESSOR,
    ),
    "other channels first": (
        (preprocessor(do_flip_channel_order=True), {}),
        {**IMAGENET, "channel_order": "BGR"},
        PREPROCESSOR,
    ),
    "MMDeploy": ((mmdeploy(), {}), BYTES, "pipeline.json"),
    "MMDeploy in BGR": (
        (mmdeploy(to_rgb=False), {}),
        {**BYTES, "channel_order": "BGR"},
        "pipeline.json",
    ),
    "Ultralytics": (
        ({}, sidecars.ULTRALYTICS),
        {"value_range": (0.0, 1.0)},
        "the file's metadata (Ultralytics)",
    ),
    "OpenVINO": (({}, sidecars.OPENVINO), BYTES, "the file's metadata (OpenVINO)"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_gives_the_labels_that_the_same_flags_give(name: str, tmp_path: Path) -> None:
    source, flags, called = SOURCES[name]
    found = OnnxSegmenter.open(sidecars.write(tmp_path / "told", model(), *source), **CPU)
    said = OnnxSegmenter.open(sidecars.write(tmp_path / "bare", model()), **flags, **CPU)
    batch = np.random.default_rng(0).random((2, 3, 12, 16), dtype=np.float32)
    labels = found(batch)
    assert np.array_equal(labels, said(batch))
    plain = OnnxSegmenter.open(tmp_path / "bare" / HERE, value_range=(0.0, 1.0), **CPU)
    assert (flags == {"value_range": (0.0, 1.0)}) == np.array_equal(labels, plain(batch))
    assert found.contract.sources["value_range"] == called
    assert found.contract.classes == 4
    if "OpenVINO" not in name and "MMDeploy" not in name:
        assert found.contract.class_names == sidecars.NAMES


def test_a_snapshot_needs_no_flag_beyond_sigma(
    tmp_path: Path, pictures: Path, onnxcert: Any
) -> None:
    snapshot = tmp_path / "snapshot"
    sidecars.write(snapshot / "onnx", model())
    sidecars.write(
        snapshot, model(), preprocessor(do_resize=True, size={"height": 20, "width": 28})
    )
    (snapshot / "model.onnx").unlink()
    command = ("certify", snapshot, pictures, "--limit", "1", "--sigma", "0.2", "--n", "60")
    more = ("--threads", "1", "--no-pictures", "--out", tmp_path / "out")
    done = onnxcert(*command, *more)
    assert done.status == 0, done.err
    assert "mean 0.485,0.456,0.406, std 0.229,0.224,0.225 (../preprocessor_config.json)" in done.err
    assert "size 20x28 (../preprocessor_config.json)" in done.err
    # What was read is part of what the results depend on.
    sidecars.write(
        snapshot, model(), {PREPROCESSOR: {**sidecars.SEGFORMER, "image_mean": [0.5] * 3}}
    )
    (snapshot / "model.onnx").unlink()
    changed = onnxcert(*command, *more)
    assert "contract mean" in changed.refusal


def test_semantic_segmentation_of_ultralytics_needs_no_flag_and_boxes_stay_refused(
    tmp_path: Path, pictures: Path, onnxcert: Any
) -> None:
    proto = graphs.conv(
        4,
        tail="chosen = ArgMax<axis = 1, keepdims = 0>(raw) scores = Cast<to = 2>(chosen)",
    )
    del proto.graph.output[:]
    proto.graph.output.append(
        helper.make_tensor_value_info("scores", onnx.TensorProto.UINT8, ["batch", "h", "w"])
    )
    path = sidecars.write(tmp_path, proto, {}, sidecars.ULTRALYTICS)
    flags = ("--limit", "1", "--sigma", "0.2", "--n", "60", "--threads", "1", "--no-pictures")
    done = onnxcert("certify", path, pictures, *flags, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert "(the file's metadata (Ultralytics))" in done.err
    other = sidecars.write(tmp_path, model(), {}, {**sidecars.ULTRALYTICS, "task": "segment"})
    assert "detects objects" in onnxcert("certify", other, pictures, *flags).err


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"config.json": {"architectures": ["DPTForDepthEstimation"]}}, "DPTForDepthEstimation"),
        ({"config.json": {"architectures": ["SegformerModel"]}}, "SegformerModel"),
        ({"deploy.json": {**sidecars.DEPLOY, "task": "Detector"}}, "Detector"),
    ],
)
def test_a_model_of_another_task_is_refused_unless_its_output_is_named(
    files: Any, word: str, tmp_path: Path
) -> None:
    assert word in refusal(tmp_path, files, value_range=(0.0, 1.0))
    said = contract_of(tmp_path, files, value_range=(0.0, 1.0), output_form="logits")
    assert said.task == "segmentation"


def test_certify_says_that_an_answer_of_many_cells_is_no_classification(
    tmp_path: Path, onnxcert: Any
) -> None:
    config = {"config.json": {"architectures": ["ViTForImageClassification"]}}
    path = sidecars.write(tmp_path, model(), config)  # its sides are free
    shot = tmp_path / "picture.png"
    write_picture(shot, seed=1, height=8, width=8)
    outcome = onnxcert("certify", path, shot, "--range", "0,1", "--sigma", "0.1", "--n", "60")
    assert "one cell (task classification: config.json) was expected" in outcome.refusal


def test_a_file_about_another_model_says_nothing(tmp_path: Path) -> None:
    other = {**sidecars.DEPLOY, "models": [{"net": "end2end.onnx"}], "task": "Detector"}
    files = {"deploy.json": other, "pipeline.json": sidecars.pipeline(), "config.json": {"lr": 1}}
    assert "--range" in refusal(tmp_path, files)


# -- who comes first, and what contradicts -------------------------------------------------------


def test_the_user_comes_first_then_the_contract_then_metadata_then_files(tmp_path: Path) -> None:
    given: dict[str, Any] = {"mean": (0.1,), "std": (0.2,), "value_range": (0.0, 1.0)}
    said = contract_of(tmp_path, preprocessor(), channel_order="BGR", **given)
    assert (said.mean, said.std, said.channel_order) == ((0.1,), (0.2,), "BGR")
    assert said.sources["mean"] == said.sources["channel_order"] == "given"

    # A contract that says what pixels become says all of it: the graph may do the rest.
    carrying = graphs.conv(4, contract={"value_range": [0, 1]})
    written = contract_of(tmp_path, preprocessor(), proto=carrying)
    assert (written.value_range, written.mean, written.std) == ((0.0, 1.0), (), ())

    both = preprocessor(image_mean=[0.0] * 3, image_std=[1.0] * 3)
    found = contract_of(tmp_path, both, sidecars.ULTRALYTICS)
    assert found.sources["value_range"] == "the file's metadata (Ultralytics)"


CONTRADICTIONS: dict[str, tuple[Any, dict[str, Any], tuple[str, ...]]] = {
    "metadata and a file": (
        (preprocessor(), sidecars.ULTRALYTICS),
        {},
        ("the file's metadata (Ultralytics)", PREPROCESSOR, "--mean"),
    ),
    "names": (
        ({"config.json": {**sidecars.CONFIG, "id2label": {"0": "a", "1": "b"}}}, {}),
        {"value_range": (0.0, 1.0)},
        ("config.json says 2 classes", "has 4"),
    ),
    "half of it": (
        (preprocessor(), {}),
        {"value_range": (-1.0, 1.0)},
        ("-1,1 (given)", PREPROCESSOR, "--mean 0 --std 1"),
    ),
    "its own numbers": (
        (preprocessor(do_rescale=False), {}),
        {},
        (PREPROCESSOR, "0,255", "--range 0,1"),
    ),
    "task": (
        ({"config.json": {"architectures": ["ViTForImageClassification"]}}, {}),
        {"value_range": (0.0, 1.0)},
        ("config.json says classification", "'scores'"),
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_sources_that_contradict_each_other_are_both_named(case: str, tmp_path: Path) -> None:
    source, given, words = CONTRADICTIONS[case]
    proto = graphs.conv(4, size=(12, 16))
    message = refusal(tmp_path, *source, proto=proto, **given)
    for word in words:
        assert word in message


def normalising(mean: Any, std: Any) -> onnx.ModelProto:
    """The model, which subtracts and divides by itself."""
    m, s = (np.reshape(values, (1, 3, 1, 1)).astype(np.float32) for values in (mean, std))
    return graphs.model(
        f"""({graphs.IMAGES} image) => (float[batch, 4, height, width] scores) {{
            less = Sub(image, m)
            normalised = Div(less, s)
            scores = Conv<pads = [1, 1, 1, 1]>(normalised, w, b)
        }}""",
        m=m,
        s=s,
        **{each.name: numpy_helper.to_array(each) for each in model().graph.initializer},
    )


@pytest.mark.parametrize("unit", [1.0, 255.0])
def test_what_the_graph_does_already_is_not_done_again(unit: float, tmp_path: Path) -> None:
    twice = normalising(np.array(MEAN) * unit, np.array(STD) * unit)
    message = refusal(tmp_path, preprocessor(), proto=twice)
    assert f"({PREPROCESSOR})" in message or f"{PREPROCESSOR} says mean" in message
    assert "subtracts" in message
    assert f"--range 0,{unit:g} --mean 0" in message or f"--std 1 --range 0,{unit:g}" in message
    # Said by the user, it is meant.
    flags: dict[str, Any] = {"value_range": (0.0, unit), "mean": (0.0,), "std": (1.0,)}
    assert contract_of(tmp_path, preprocessor(), proto=twice, **flags).mean == (0.0,)
    # Another step before the network's own is none of this kind.
    other = normalising([0.1, 0.2, 0.3], [0.5, 0.5, 0.5])
    assert contract_of(tmp_path, preprocessor(), proto=other).mean == MEAN


# -- what is not used, and what is damaged -------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "word"),
    [
        (preprocessor(do_resize=True, size={"shortest_edge": 256}), "size"),
        (preprocessor(do_resize=True, do_center_crop=True), "do_center_crop"),
        (preprocessor(do_center_crop=True), "do_center_crop"),
        (preprocessor(do_pad=True), "do_pad"),
        (preprocessor(do_resize=True, resample=3), "resample 3"),
        (
            {"config.json": {"architectures": ["AForSemanticSegmentation", "BModel"]}},
            "several architectures",
        ),
        ({"model.xml": "<net/>"}, "model.xml"),
    ],
)
def test_what_is_ambiguous_is_not_used_and_said(
    files: Any, word: str, tmp_path: Path, onnxcert: Any
) -> None:
    path = sidecars.write(tmp_path, model(), files)
    flags = () if PREPROCESSOR in files else ("--range", "0,1")
    done = onnxcert("inspect", path, *flags)
    assert done.status == 0, done.err
    assert any(word in line for line in done.out.splitlines() if line.startswith("not used: "))


def test_a_size_that_the_graph_does_not_take_is_not_used_and_said(
    tmp_path: Path, onnxcert: Any
) -> None:
    path = sidecars.write(tmp_path, graphs.conv(4, size=(12, 16)), preprocessor(do_resize=True))
    done = onnxcert("inspect", path)
    assert done.status == 0, done.err
    assert "resizes to 512x512, but the graph takes only 12x16" in done.out


DAMAGED: dict[str, Any] = {
    "no JSON": "{",
    "no object": "[1]",
    "nested": "[" * 100_000,
    "too large": json.dumps(sidecars.SEGFORMER) + " " * MOST,
    "mean of text": {**sidecars.SEGFORMER, "image_mean": "0.5"},
    "mean of a flag": {**sidecars.SEGFORMER, "image_mean": [True, 1, 1]},
    "two means": {**sidecars.SEGFORMER, "image_mean": [0.5, 0.5]},
    "std of zero": {**sidecars.SEGFORMER, "image_std": [0, 0, 0]},
    "no factor": {**sidecars.SEGFORMER, "rescale_factor": 0},
    "a flag of text": {**sidecars.SEGFORMER, "do_normalize": "yes"},
    "no numbers": {**sidecars.SEGFORMER, "image_mean": [float("nan")] * 3},
    "a pipe": None,
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_one_sentence_that_names_it(case: str, tmp_path: Path) -> None:
    if DAMAGED[case] is None:
        os.mkfifo(tmp_path / PREPROCESSOR)
    files = {} if DAMAGED[case] is None else {PREPROCESSOR: DAMAGED[case]}
    assert PREPROCESSOR in refusal(tmp_path, files)


# -- labels --------------------------------------------------------------------------------------


def test_labels_that_may_be_lowered_by_one_are_asked_about(
    tmp_path: Path, pictures: Path, onnxcert: Any
) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    for picture in pictures.iterdir():
        values = np.full((12, 16), 4, np.uint8)
        values[:6] = 255
        zoo_labels(labels / picture.name, values)
    path = sidecars.write(tmp_path / "hub", model(), preprocessor(do_reduce_labels=True))
    command = ("certify", path, pictures, "--labels", labels, "--limit", "1", "--sigma", "0.2")
    more = ("--n", "60", "--threads", "1", "--no-pictures", "--out")
    asked = onnxcert(*command, *more, tmp_path / "a")
    assert "--label-map ade20k" in asked.refusal
    done = onnxcert(*command, "--label-map", "ade20k", *more, tmp_path / "b")
    assert done.status == 2  # 255 is no number of that data set
    assert "label map" in done.err
    # Without that, 4 is no class, and 255 is the label that did not count in training.
    plain = sidecars.write(
        tmp_path / "other",
        graphs.conv(5),
        {"config.json": {"model_type": "x", "semantic_loss_ignore_index": 255}},
    )
    done = onnxcert("certify", plain, *command[2:], "--range", "0,1", *more, tmp_path / "c")
    assert done.status == 0, done.err


def zoo_labels(path: Path, values: Any) -> None:
    from PIL import Image

    Image.fromarray(values).save(path)


# -- the number of classes -----------------------------------------------------------------------


def resized_before_argmax(kind: str) -> onnx.ModelProto:
    """Conv, Resize as exporters write it, Softmax, ArgMax; nothing says the number of classes."""
    # Shape inference does not look behind Identity.
    resize = """
        scales = Identity(held)
        large = Resize<mode = "nearest">(raw, "", scales)
    """
    if kind == "sizes":
        resize = """
            all = Shape(image)
            sides = Slice(all, two, four)
            own = Shape(raw)
            front = Slice(own, none, two)
            whole = Cast<to = 7>(sides)
            sizes = Concat<axis = 0>(front, whole)
            large = Resize<mode = "linear">(raw, "", "", sizes)
        """
    proto = graphs.conv(
        4,
        tail=resize
        + "shares = Softmax<axis = 1>(large) scores = ArgMax<axis = 1, keepdims = 0>(shares)",
        held=[1.0, 1.0, 2.0, 2.0] if kind == "scales" else [1.0, 2.0, 1.0, 1.0],
        none=[0],
        two=[2],
        four=[4],
    )
    del proto.graph.output[:]
    proto.graph.output.append(
        helper.make_tensor_value_info("scores", onnx.TensorProto.INT64, ["batch", "h", "w"])
    )
    return proto


@pytest.mark.parametrize("kind", ["scales", "sizes"])
def test_classes_are_counted_through_a_resize(kind: str, tmp_path: Path) -> None:
    found = contract_of(tmp_path, proto=resized_before_argmax(kind), value_range=(0.0, 1.0))
    assert found.classes == 4


def test_classes_that_are_resized_themselves_are_not_those_of_the_layer(tmp_path: Path) -> None:
    proto = resized_before_argmax("classes are resized")
    try:
        found = contract_of(tmp_path, proto=proto, value_range=(0.0, 1.0)).classes
    except ContractError as error:
        assert "--classes" in str(error)  # noqa: PT017
    else:
        assert found == 8
