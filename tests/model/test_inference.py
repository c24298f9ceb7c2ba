"""What the file leaves open is read off the graph, given, or refused; never guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphs
import onnx
import pytest

from onnxcert.errors import ContractError
from onnxcert.model.contract import Contract
from onnxcert.model.graph import read_model
from onnxcert.model.inference import infer

FREE = ["batch", 3, "height", "width"]


def contract_of(proto: onnx.ModelProto, folder: Path, **given: Any) -> Contract:
    return infer(read_model(graphs.save(proto, folder / "model.onnx")), given)


def refusal(proto: onnx.ModelProto, folder: Path, **given: Any) -> str:
    with pytest.raises(ContractError) as caught:
        contract_of(proto, folder, **given)
    message = str(caught.value)
    assert message.startswith(str(folder / "model.onnx"))
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_the_graph_tells_names_sizes_and_classes(tmp_path: Path) -> None:
    found = contract_of(graphs.conv(5, batch=4, size=(8, 6), contract=graphs.UNIT_RANGE), tmp_path)
    assert (found.input, found.output) == ("image", "scores")
    assert (found.batch, found.size, found.classes) == (4, (8, 6), 5)
    for field in ("input", "output", "batch", "size", "classes", "layout", "dtype"):
        assert found.sources[field] == "the graph"
    assert found.sources["value_range"] == "the file's metadata"


def test_free_axes_stay_free(tmp_path: Path) -> None:
    found = contract_of(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path)
    assert found.batch is None
    assert found.size is None
    assert not {"batch", "size"} & set(found.sources)


def test_what_is_given_beats_the_metadata_and_the_metadata_the_graph(tmp_path: Path) -> None:
    said = {"value_range": [0, 255], "mean": [100], "std": [50], "output": "aux"}
    proto = graphs.two_outputs()
    entry = proto.metadata_props.add()
    entry.key, entry.value = "onnxcert", json.dumps({"version": 1, **said})
    found = contract_of(proto, tmp_path, mean=(90.0, 91.0, 92.0))
    assert found.mean == (90.0, 91.0, 92.0)
    assert found.std == (50.0,)
    assert found.output == "aux"
    assert found.sources["mean"] == "given"
    assert found.sources["std"] == found.sources["output"] == "the file's metadata"
    assert found.sources["input"] == "the graph"


def test_nothing_that_is_set_is_without_a_source(tmp_path: Path) -> None:
    found = contract_of(graphs.softmax(), tmp_path)
    unset = (None, (), "")
    for field in Contract.__dataclass_fields__:
        if field != "sources" and getattr(found, field) not in unset:
            assert found.sources.get(field), field


def test_an_assumption_is_called_one(tmp_path: Path) -> None:
    assert contract_of(graphs.threshold(), tmp_path).sources["channel_order"] == "assumed"


def test_softmax_gives_probabilities(tmp_path: Path) -> None:
    assert contract_of(graphs.softmax(), tmp_path).output_form == "probabilities"


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        ((0.41, 0.42, 0.43), (0.30, 0.31, 0.31), (0.0, 1.0)),
        ((0.5,), (), (0.0, 1.0)),
        ((), (0.5,), (0.0, 1.0)),
        ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), (0.0, 255.0)),
        ((123.7, 116.3, 103.5), (), (0.0, 255.0)),
        ((123.7, 116.3, 103.5), (1.0, 1.0, 1.0), (0.0, 255.0)),
    ],
)
def test_mean_and_std_tell_the_range_where_they_can(
    tmp_path: Path,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    expected: tuple[float, float],
) -> None:
    found = contract_of(graphs.conv(), tmp_path, mean=mean, std=std)
    assert found.value_range == expected
    assert "mean and std" in found.sources["value_range"]


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0.4, 0.4, 0.4), (58.0, 58.0, 58.0)),
        ((123.0, 116.0, 103.0), (0.3, 0.3, 0.3)),
        ((0.5, 116.0, 103.0), (58.0, 58.0, 58.0)),
        ((-0.5,), (0.5,)),
        ((), (58.0,)),
    ],
)
def test_mean_and_std_that_fit_both_ranges_are_refused(
    tmp_path: Path, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    message = refusal(graphs.conv(), tmp_path, mean=mean, std=std)
    assert "--range 0,1" in message
    assert "--range 0,255" in message
    # Saying the range ends the doubt.
    assert contract_of(
        graphs.conv(), tmp_path, mean=mean, std=std, value_range=(0.0, 1.0)
    ).value_range == (0, 1)


def test_a_range_that_nobody_said_is_refused(tmp_path: Path) -> None:
    assert "--range" in refusal(graphs.conv(), tmp_path)


def test_two_inputs_are_refused_by_name(tmp_path: Path) -> None:
    message = refusal(graphs.two_inputs(), tmp_path, value_range=(0.0, 1.0))
    assert "left, right" in message
    assert "--input" in message


def test_two_outputs_are_refused_by_name_until_one_is_chosen(tmp_path: Path) -> None:
    message = refusal(graphs.two_outputs(), tmp_path, value_range=(0.0, 1.0))
    assert "main, aux" in message
    assert "--output" in message
    assert (
        contract_of(graphs.two_outputs(), tmp_path, value_range=(0.0, 1.0), output="aux").output
        == "aux"
    )


@pytest.mark.parametrize("role", ["input", "output"])
def test_a_name_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, role: str) -> None:
    message = refusal(graphs.conv(), tmp_path, **{role: "nothing"})
    assert "'nothing'" in message
    assert {"input": "image", "output": "scores"}[role] in message


def test_weights_listed_as_inputs_are_not_mistaken_for_pictures(tmp_path: Path) -> None:
    proto = graphs.conv(contract=graphs.UNIT_RANGE)
    for weight in proto.graph.initializer:
        proto.graph.input.append(
            onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        )
    assert contract_of(proto, tmp_path).input == "image"


def test_an_axis_of_minus_one_is_free(tmp_path: Path) -> None:
    proto = graphs.conv(contract=graphs.UNIT_RANGE)
    for axis in (0, 2, 3):
        dim = proto.graph.input[0].type.tensor_type.shape.dim[axis]
        dim.Clear()
        dim.dim_value = -1
    found = contract_of(proto, tmp_path)
    assert (found.batch, found.size) == (None, None)


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        (graphs.identity(["b", "c", "h", "w"], FREE), ["channels"]),
        (graphs.channels_last(8, 6), ["NHWC"]),
        (graphs.channels_last(), ["3 channels"]),
        (graphs.identity(["b", 1, "h", "w"], FREE), ["3 channels", "got 1"]),
        (graphs.identity(["b", 4, "h", "w"], FREE), ["3 channels", "got 4"]),
        (graphs.identity([3, "h", "w"], FREE), ["3 axes"]),
        (graphs.half_precision(), ["float32", "float16"]),
        (graphs.identity(["b", 3, 8, "w"], FREE), ["height and width"]),
        (graphs.identity(FREE, ["b", 3]), ["2 axes", "--output"]),
        (graphs.identity(FREE, ["b", 3, "n"]), ["3 axes", "--output"]),
        (graphs.identity(FREE, ["b", 1, "h", "w"]), ["one channel"]),
        (graphs.multi_label(), ["sigmoid", "do not exclude each other"]),
    ],
    ids=[
        "channels unknown",
        "channels last",
        "channels last, size free",
        "grey",
        "four channels",
        "no batch axis",
        "float16",
        "half fixed",
        "a vector out",
        "points out",
        "one channel out",
        "multi-label",
    ],
)
def test_a_form_that_is_not_taken_is_refused(
    tmp_path: Path, proto: onnx.ModelProto, words: list[str]
) -> None:
    message = refusal(proto, tmp_path, value_range=(0.0, 1.0))
    for word in words:
        assert word in message


def test_integer_output_is_refused(tmp_path: Path) -> None:
    labels = graphs.model(
        [graphs.node("ArgMax", "image", "labels", axis=1)],
        inputs={"image": FREE},
        outputs={"labels": ["batch", 1, "height", "width"]},
        kinds={"labels": onnx.TensorProto.INT64},
    )
    assert "float32 scores, got int64" in refusal(labels, tmp_path, value_range=(0.0, 1.0))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"classes": 4}, ["4 classes", "has 3"]),
        ({"batch": 2}, ["batch 2", "only 1"]),
        ({"size": [8, 8]}, ["size (8, 8)", "only (4, 4)"]),
        ({"input": "picture"}, ["'picture'", "image"]),
    ],
)
def test_metadata_that_contradicts_the_graph_is_refused(
    tmp_path: Path, said: dict[str, Any], words: list[str]
) -> None:
    proto = graphs.conv(batch=1, size=(4, 4), contract={**graphs.UNIT_RANGE, **said})
    message = refusal(proto, tmp_path)
    for word in words:
        assert word in message


@pytest.mark.parametrize("text", ["", "no JSON", '{"version": 7}', '{"version": 1, "std": [0]}'])
def test_broken_metadata_is_refused_and_not_ignored(tmp_path: Path, text: str) -> None:
    refusal(graphs.conv(contract=text), tmp_path, value_range=(0.0, 1.0))
