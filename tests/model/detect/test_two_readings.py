"""Two readings of a model are refused with the flags of each."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import onnx
import pytest
import zoo
from convolution import CONV, CPU, PICTURE, around, is_the_function, noisy, opened, simple
from zoo import Conv3, Dialect

from onnxcert import OnnxSegmenter
from onnxcert.errors import ContractError
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model


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


def test_a_scalar_output_is_no_candidate_but_two_heads_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="pass --output main or --output aux"):
        opened(two_heads_and_a_count(), tmp_path)
    is_the_function(opened(two_heads_and_a_count(), tmp_path, output="main"))
    lower = opened(two_heads_and_a_count(), tmp_path, output="aux")(noisy())
    assert lower.shape == (7, 8, 6)
    with pytest.raises(ContractError, match="'count' has 0 axes"):
        opened(two_heads_and_a_count(), tmp_path, output="count")


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
    with pytest.raises(ContractError, match=r"do not exclude each other.*--output-form multilabel"):
        opened(sigmoids(), tmp_path, output_form=form)
    assert opened(sigmoids(), tmp_path, output_form="multilabel")(noisy()).shape == (7, 4, 8, 6)


def test_labels_are_refused_where_there_are_four_channels(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="--output-form"):
        opened(simple(), tmp_path, output_form="labels", classes=4)


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
