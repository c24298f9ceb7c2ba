"""Where two readings are possible, `inspect` prints the command line of each."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import graphs
import numpy as np
from drawing import write_picture


def test_each_command_line_that_inspect_shows_works(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(graphs.conv(), tmp_path / "model.onnx")
    write_picture(tmp_path / "p.png", seed=1)
    shown = [
        line.strip()
        for line in onnxcert("inspect", path).out.splitlines()
        if line.startswith("  onnxcert certify")
    ]
    assert len(shown) == 3
    for i, line in enumerate(shown):
        words = shlex.split(line.replace("PICTURES", str(tmp_path / "p.png")))[1:]
        done = onnxcert(*words, "--sigma", "0.2", "--threads", "1", "--out", tmp_path / f"o{i}")
        assert done.status == 0, done.err


def test_two_layouts_are_shown_as_two_command_lines(tmp_path: Path, onnxcert: Any) -> None:
    proto = graphs.identity(["b", 3, "h", 3], ["b", 3, "h", 3])
    path = graphs.save(proto, tmp_path / "model.onnx")
    done = onnxcert("inspect", path, "--range", "0,1")
    assert done.status == 2
    assert [line.split()[-1] for line in done.out.splitlines()] == ["NCHW", "NHWC"]


def test_a_multi_label_reading_of_a_model_with_classes_in_its_metadata(
    tmp_path: Path, onnxcert: Any
) -> None:
    contract = '{"version": 1, "value_range": [0, 1], "classes": 4}'
    path = graphs.save(graphs.conv(4, contract=contract), tmp_path / "model.onnx")
    write_picture(tmp_path / "p.png", seed=1)
    done = onnxcert(
        *("certify", path, tmp_path / "p.png", "--output-form", "multilabel", "--threshold", "0"),
        *("--sigma", "0.2", "--threads", "1", "--out", tmp_path / "out"),
    )
    assert done.status == 0, done.err
    assert "labels x pixels" in done.out
    assert len(list((tmp_path / "out" / "pictures" / "p").glob("*.png"))) == 4


def test_what_was_said_is_said_again_and_what_is_still_open_is_inspected(
    tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(graphs.one_channel_map(), tmp_path / "a model.onnx")
    write_picture(tmp_path / "p.png", seed=1)
    asked = onnxcert("inspect", path, "--channel-order", "BGR")
    lines = [shlex.split(line)[1:] for line in asked.out.splitlines() if "onnxcert" in line]
    assert {line[0] for line in lines} == {"inspect"}  # the range of values is still open
    lines = [line for line in lines if "labels" not in line]
    assert len(lines) == 2
    for i, line in enumerate(lines):
        assert line[1:4] == [str(path), "--channel-order", "BGR"]
        again = [shlex.split(text)[1:] for text in onnxcert(*line).out.splitlines()]
        certify = [words for words in again if words[:1] == ["certify"]]
        assert len(certify) == 3
        words = [str(tmp_path / "p.png") if w == "PICTURES" else w for w in certify[0]]
        done = onnxcert(*words, "--sigma", "0.2", "--threads", "1", "--out", tmp_path / f"o{i}")
        assert done.status == 0, done.err
        assert "RGB" not in done.err


def test_axes_that_the_file_declares_and_does_not_give_are_refused(
    tmp_path: Path, onnxcert: Any
) -> None:
    proto = graphs.conv(
        3,
        batch=1,
        size=(12, 16),
        tail=[graphs.node("Squeeze", "raw zero", "scores")],
        constants={"zero": np.array([0])},
    )
    path = graphs.save(proto, tmp_path / "model.onnx")
    write_picture(tmp_path / "p.png", seed=1)
    flags = ("--range", "0,1")
    asked = onnxcert("inspect", path, *flags)
    assert asked.status == 2
    assert "pass --output-layout CHW" in asked.err
    certify = ("certify", path, tmp_path / "p.png", *flags, "--sigma", "0.2", "--resize")
    done = onnxcert(*certify, "--threads", "1", "--out", tmp_path / "none")
    assert done.status == 2
    assert "[3, 12, 16]" in done.err
    said = onnxcert("inspect", path, *flags, "--output-layout", "CHW")
    assert said.status == 0, said.err
    more = ("--output-layout", "CHW", "--threads", "1", "--out", tmp_path / "out")
    assert onnxcert(*certify, *more).status == 0


def test_a_layout_that_the_network_does_not_run_with_is_not_shown(
    tmp_path: Path, onnxcert: Any
) -> None:
    """Only channels first go through the convolution, which stands behind another operator."""
    proto = graphs.conv(2)
    proto.graph.node.insert(0, graphs.node("Softplus", "image", "soft"))
    proto.graph.node[1].input[0] = "soft"
    for axis in proto.graph.input[0].type.tensor_type.shape.dim[1:]:
        axis.Clear()
    path = graphs.save(proto, tmp_path / "model.onnx")
    shown = onnxcert("inspect", path, "--range", "0,1").out.splitlines()
    assert [line.split()[-1] for line in shown] == ["NCHW"]


def test_a_number_that_is_offered_is_shown_as_one(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(graphs.conv(), tmp_path / "model.onnx")
    done = onnxcert("inspect", path, "--range", "0,1", "--output-form", "multilabel")
    assert done.status == 2
    shown = [line.split()[-2:] for line in done.out.splitlines() if "onnxcert" in line]
    assert shown == [["--threshold", "0"], ["--threshold", "0.5"]]
