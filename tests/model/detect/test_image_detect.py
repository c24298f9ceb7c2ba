"""What the file leaves open is read off the graph, given, or refused; never guessed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from refusals import one_sentence

from onnxcert.errors import ContractError
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model

FREE = ["batch", 3, "height", "width"]
FREE_ONE = ["batch", 1, "height", "width"]


def one_channel(out: list[Any], operator: str) -> onnx.ModelProto:
    """The mean of the channels, brought to what its values may be by `operator`."""
    g = graphs.Graph()
    mean = g.add("ReduceMean", "image", axes=[1], keepdims=int(len(out) == 4))
    g.add(operator, mean, output="scores")
    return g.model({"image": ("float32", FREE)}, {"scores": ("float32", out)})


def squares() -> onnx.ModelProto:
    """Five classes for 5 x 5 pixels: each axis might be the classes."""
    return graphs.model(
        "(float[b, 3, 5, 5] image) => (float[b, 5, 5, 5] scores)"
        " { conv = Conv(image, w) scores = Relu(conv) }",
        w=np.ones((5, 3, 1, 1)),
    )


def contract_of(proto: onnx.ModelProto, folder: Path, **given: Any) -> ImageContract:
    return detect(read_model(graphs.save(proto, folder / "model.onnx")), given)


def refusal(proto: onnx.ModelProto, folder: Path, **given: Any) -> str:
    with one_sentence(ContractError) as caught:
        contract_of(proto, folder, **given)
    message = str(caught.value)
    assert message.startswith(str(folder / "model.onnx"))
    return message


def test_the_graph_tells_names_sizes_and_classes(tmp_path: Path) -> None:
    found = contract_of(graphs.conv(5, batch=4, size=(8, 6), contract=graphs.UNIT_RANGE), tmp_path)
    assert (found.input, found.output) == ("image", "scores")
    assert (found.batch, found.size, found.classes) == (4, (8, 6), 5)
    for field in ("input", "output", "batch", "size", "classes", "dtype"):
        assert found.sources[field] == "the graph"
    assert (found.layout, found.output_layout) == ("NCHW", "NCHW")
    assert found.sources["layout"] == "the graph: axis 1 of [4, 3, 8, 6]"
    assert found.sources["output_layout"] == "the graph: its height and width"
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
    plain = ImageContract()
    for field in ImageContract.__dataclass_fields__:
        if field != "sources" and getattr(found, field) != getattr(plain, field):
            assert found.sources.get(field), field
    # What the graph shows has a source even where it is what would be expected.
    for field in ("layout", "channel_order", "dtype", "output_layout", "output_rank"):
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
        ((), (58.0,), (0.0, 255.0)),
        ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0), (0.0, 255.0)),
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
    assert "std" in found.sources["value_range"]


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0.4, 0.4, 0.4), (58.0, 58.0, 58.0)),
        ((-0.5,), (0.5,)),
        ((), (2.0,)),
    ],
)
def test_mean_and_std_that_fit_both_ranges_are_refused(
    tmp_path: Path, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    message = refusal(graphs.conv(), tmp_path, mean=mean, std=std)
    assert "--range 0,1" in message
    assert "--range 0,255" in message
    # Saying the range ends the doubt.
    for right in ((0.0, 1.0), (0.0, 255.0)):
        found = contract_of(graphs.conv(), tmp_path, mean=mean, std=std, value_range=right)
        assert found.value_range == right


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((123.0, 116.0, 103.0), (0.3, 0.3, 0.3)),
        ((0.5, 116.0, 103.0), (58.0, 58.0, 58.0)),
    ],
)
def test_mean_and_std_in_two_units_are_refused_with_the_one_range_that_can_be_meant(
    tmp_path: Path, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    message = refusal(graphs.conv(), tmp_path, mean=mean, std=std)
    assert "pass --range 0,255 as well" in message
    assert "--range 0,1" not in message
    found = contract_of(graphs.conv(), tmp_path, mean=mean, std=std, value_range=(0.0, 255.0))
    assert found.value_range == (0.0, 255.0)


def test_a_range_that_nobody_said_is_refused(tmp_path: Path) -> None:
    assert "--range" in refusal(graphs.conv(), tmp_path)


def test_two_inputs_are_refused_by_name_until_one_is_chosen_and_the_other_fed(
    tmp_path: Path,
) -> None:
    message = refusal(graphs.two_inputs(), tmp_path, value_range=(0.0, 1.0))
    assert "'left' [batch, 3, height, width] float32, 'right' " in message
    assert "pass --input left or --input right" in message
    given: dict[str, Any] = {"value_range": (0.0, 1.0), "input": "right"}
    message = refusal(graphs.two_inputs(), tmp_path, **given)
    assert "'left' [batch, 3, height, width] float32" in message
    assert "--feed left=VALUE" in message
    still = [[[0.5]], [[0.25]], [[0.0]]]
    found = contract_of(graphs.two_inputs(), tmp_path, **given, feeds=(("left", still),))
    assert (found.input, found.feeds) == ("right", (("left", still),))
    assert found.sources["input"] == found.sources["feeds"] == "given"
    # An input that is fed is none of those that may take the picture.
    del given["input"]
    fed = contract_of(graphs.two_inputs(), tmp_path, **given, feeds=(("left", still),))
    assert (fed.input, fed.feeds) == (found.input, found.feeds)
    assert fed.sources["input"] == "the graph"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([0.5, 0.5], ["[batch, 3, height, width]", "[2]"]),
        ([[[[0.5]] * 2]], ["[batch, 3, height, width]", "[1, 1, 2, 1]"]),
        ("dark", ["float32", "'dark'"]),
    ],
)
def test_a_value_that_does_not_fit_its_input_is_refused(
    tmp_path: Path, value: object, words: list[str]
) -> None:
    message = refusal(
        graphs.two_inputs(), tmp_path, value_range=(0.0, 1.0), feeds=(("left", value),)
    )
    for word in ("'left'", *words):
        assert word in message


def test_a_value_for_an_input_that_is_not_there_is_refused(tmp_path: Path) -> None:
    message = refusal(graphs.conv(), tmp_path, value_range=(0.0, 1.0), feeds=(("gain", 2.0),))
    assert "'gain'" in message
    assert "the model has none" in message


def test_two_outputs_are_refused_by_name_until_one_is_chosen(tmp_path: Path) -> None:
    message = refusal(graphs.two_outputs(), tmp_path, value_range=(0.0, 1.0))
    assert "'main' [batch, 3, height, width] float32, 'aux' " in message
    assert "pass --output main or --output aux." in message
    assert (
        contract_of(graphs.two_outputs(), tmp_path, value_range=(0.0, 1.0), output="aux").output
        == "aux"
    )


@pytest.mark.parametrize("role", ["input", "output"])
def test_a_name_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, role: str) -> None:
    message = refusal(graphs.conv(), tmp_path, **{role: "nothing"})
    assert "'nothing'" in message
    assert {"input": "image", "output": "scores"}[role] in message


FORMS: dict[str, tuple[onnx.ModelProto, dict[str, Any], dict[str, str]]] = {
    # What goes in and out, what the contract must then say, and why.
    "channels by their name": (
        graphs.identity(["b", "c", "h", "w"], FREE),
        {"layout": "NCHW", "channel_order": "RGB", "classes": 3},
        {"layout": "the graph: axis 1 is called c", "channel_order": "assumed"},
    ),
    "channels last": (
        graphs.channels_last(8, 6),
        {"layout": "NHWC", "size": (8, 6), "output_layout": "NCHW", "classes": 3},
        {
            "layout": "the graph: axis 3 of [batch, 8, 6, 3]",
            "output_layout": "the graph: its height and width",
        },
    ),
    "channels last, size free": (
        graphs.channels_last(),
        {"layout": "NHWC", "size": None, "output_layout": "NCHW", "classes": 3},
        {"layout": "the graph: axis 3 of [batch, height, width, 3]"},
    ),
    "grey": (
        graphs.model(
            "(float[b, 1, h, w] image) => (float[b, 2, h, w] scores)"
            " { scores = Concat<axis = 1>(image, image) }"
        ),
        {"channel_order": "GRAY", "network_channels": 1, "declared_channels": 1},
        {"channel_order": "the graph"},
    ),
    "float16": (graphs.typed("float16"), {"dtype": "float16"}, {"dtype": "the graph"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_the_graph_shows_is_taken(tmp_path: Path, form: str) -> None:
    proto, expected, sources = FORMS[form]
    found = contract_of(proto, tmp_path, value_range=(0.0, 1.0))
    assert {name: getattr(found, name) for name in expected} == expected
    assert {name: found.sources[name] for name in sources} == sources


@pytest.mark.parametrize(
    ("proto", "words", "flags"),
    [
        (
            graphs.identity(["b", None, "h", "w"], FREE),
            "[b, ?, h, w]",
            {"--layout NCHW": {"layout": "NCHW"}, "--layout NHWC": {"layout": "NHWC"}},
        ),
        (
            graphs.identity(["b", 3, "h", 3], FREE),
            "[b, 3, h, 3]",
            {"--layout NCHW": None, "--layout NHWC": None},
        ),
        (
            squares(),
            "5, 5, 5]",
            {
                "--output-layout NCHW": {"output_layout": "NCHW"},
                "--output-layout NHWC": {"output_layout": "NHWC"},
            },
        ),
        (
            one_channel(["batch", 1, "height", "width"], "Floor"),
            "one channel",
            {
                "--output-form logit": {"output_form": "logit"},
                "--output-form sigmoid": {"output_form": "sigmoid"},
                "--output-form labels": {"output_form": "labels", "classes": 4},
            },
        ),
        (
            one_channel(["batch", "n", "m"], "Relu"),
            "one channel",
            {
                "--output-form logit": {"output_form": "logit"},
                "--output-form sigmoid": {"output_form": "sigmoid"},
            },
        ),
        (
            one_channel([None, None, None, None], "Neg"),
            "one channel",
            {"--output-form logit": {"output_form": "logit"}},
        ),
        (
            graphs.multi_label(),
            "do not exclude each other",
            {"--output-form multilabel": {"output_form": "multilabel"}},
        ),
    ],
    ids=[
        "channels unknown",
        "three wide",
        "classes unknown",
        "one channel out",
        "no channels out",
        "below zero",
        "multi-label",
    ],
)
def test_two_readings_are_refused_with_the_flags_for_each(
    tmp_path: Path,
    proto: onnx.ModelProto,
    words: str,
    flags: dict[str, dict[str, Any] | None],
) -> None:
    message = refusal(proto, tmp_path, value_range=(0.0, 1.0))
    assert words in message
    shown = re.findall(r"--output-form \w+", message)
    assert set(shown) <= set(flags)
    for flag, given in flags.items():
        assert flag in message
        if given is not None:
            found = contract_of(proto, tmp_path, value_range=(0.0, 1.0), **given)
            assert {name: getattr(found, name) for name in given} == given
            assert {found.sources[name] for name in given} <= {"given"}


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        (graphs.identity([3, "h", "w"], FREE), ["[3, h, w]", "[batch, channels, height, width]"]),
        (graphs.identity(["b", 5, 8, 6], FREE), ["[b, 5, 8, 6]", "--layout NCHW or --layout NHWC"]),
        (graphs.identity(["b", 3, 8, "w"], FREE), ["[b, 3, 8, w]", "height and width"]),
        (
            graphs.identity(FREE, [3, 2, 2, "h", "w"]),
            ["has 'scores' [3, 2, 2, h, w]", "[batch, classes]"],
        ),
        (graphs.typed("int32"), ["int32", "float32, float16, float64, uint8, int8"]),
    ],
    ids=["no batch axis", "channels on either side", "half fixed", "five axes out", "int32"],
)
def test_a_form_that_is_not_taken_is_refused(
    tmp_path: Path, proto: onnx.ModelProto, words: list[str]
) -> None:
    message = refusal(proto, tmp_path, value_range=(0.0, 1.0))
    for word in words:
        assert word in message


@pytest.mark.parametrize("form", ["logits", "probabilities"])
def test_the_largest_of_one_channel_is_refused(tmp_path: Path, form: str) -> None:
    proto = one_channel(FREE_ONE, "Relu")
    message = refusal(proto, tmp_path, value_range=(0.0, 1.0), output_form=form)
    assert "one channel" in message
    assert "--output-form logit or --output-form sigmoid" in message


@pytest.mark.parametrize("form", ["logit", "sigmoid"])
def test_one_threshold_for_many_channels_is_refused(tmp_path: Path, form: str) -> None:
    message = refusal(graphs.conv(), tmp_path, value_range=(0.0, 1.0), output_form=form)
    assert f"3 channels but a {form} output has one" in message


@pytest.mark.parametrize(
    ("order", "channels", "right"),
    [
        ("GRAY", 3, ("RGB", "BGR")),
        ("RGBA", 3, ("RGB", "BGR")),
        ("RGB", 1, ("GRAY",)),
        ("BGR", 4, ("RGBA", "BGRA")),
    ],
)
def test_a_channel_order_that_does_not_fit_is_refused_with_those_that_do(
    tmp_path: Path, order: str, channels: int, right: tuple[str, ...]
) -> None:
    proto = graphs.model(
        f"(float[b, {channels}, h, w] image) => (float[b, {2 * channels}, h, w] scores)"
        " { scores = Concat<axis = 1>(image, image) }"
    )
    given: dict[str, Any] = {"value_range": (0.0, 1.0)}
    message = refusal(proto, tmp_path, **given, channel_order=order)
    assert " or ".join(f"--channel-order {name}" for name in right) in message
    for name in right:
        found = contract_of(proto, tmp_path, **given, channel_order=name, output_form="logits")
        assert (found.channel_order, found.sources["channel_order"]) == (name, "given")


def test_more_channels_than_any_file_has_are_refused_before_each_gets_a_name(
    tmp_path: Path,
) -> None:
    proto = graphs.model(
        f"(float[b, {2**62}, h, w] image) => (float[b, c, h, w] scores)"
        " { scores = Concat<axis = 1>(image, image) }"
    )
    message = refusal(proto, tmp_path, value_range=(0.0, 1.0), channel_order="BANDS")
    assert "more than 65536" in message


def test_bytes_say_their_range_themselves(tmp_path: Path) -> None:
    found = contract_of(graphs.typed("uint8"), tmp_path)
    assert (found.dtype, found.value_range) == ("uint8", (0.0, 255.0))
    assert found.sources["value_range"] == "the uint8 input"


def test_integer_output_holds_labels_of_as_many_classes_as_are_chosen_from(
    tmp_path: Path,
) -> None:
    found = contract_of(graphs.label_map(), tmp_path, value_range=(0.0, 1.0))
    assert (found.output_form, found.classes, found.output_rank) == ("labels", 3, 4)
    assert found.sources["output_form"] == "the graph: int64 values"
    assert found.sources["classes"] == "the graph"


def test_integer_output_of_unknown_origin_needs_the_number_of_classes(tmp_path: Path) -> None:
    proto = graphs.label_map(chosen=False)
    message = refusal(proto, tmp_path, value_range=(0.0, 1.0))
    assert "'labels' holds class indices" in message
    assert "--classes NUMBER" in message
    found = contract_of(proto, tmp_path, value_range=(0.0, 1.0), classes=7)
    assert (found.output_form, found.classes) == ("labels", 7)
    assert found.sources["classes"] == "given"


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


def test_a_convolution_without_weights_tells_no_layout(tmp_path: Path) -> None:
    proto = graphs.conv()
    del proto.graph.node[0].input[1:]
    for axis in proto.graph.input[0].type.tensor_type.shape.dim:
        axis.Clear()
    with pytest.raises(ContractError):
        detect(read_model(graphs.save(proto, tmp_path / "model.onnx")), {})
