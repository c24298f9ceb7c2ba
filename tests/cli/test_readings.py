"""Where two readings are possible, `inspect` prints the command line of each."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from drawing import write_picture


@pytest.mark.slow
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


def test_what_was_said_is_said_again_beside_all_that_is_still_open(
    tmp_path: Path, onnxcert: Any
) -> None:
    path = graphs.save(graphs.one_channel_map(), tmp_path / "a model.onnx")
    write_picture(tmp_path / "p.png", seed=1)
    asked = onnxcert("inspect", path, "--channel-order", "BGR")
    assert asked.status == 2
    # Both that are open are asked for at once, with what each option may be.
    line = shlex.split(asked.err.splitlines()[-1])[1:]
    assert line[:4] == ["inspect", str(path), "--channel-order", "BGR"]
    options = dict(zip(line[4::2], line[5::2], strict=True))
    assert set(options) == {"--output-form", "--range"}
    for i, form in enumerate(set(options["--output-form"].split("|")) - {"labels"}):
        range_ = options["--range"].split("|")[i]
        flags = ("--channel-order", "BGR", "--output-form", form, "--range", range_)
        done = onnxcert(
            *("certify", path, tmp_path / "p.png", *flags, "--sigma", "0.2", "--threads", "1"),
            *("--out", tmp_path / f"o{i}"),
        )
        assert done.status == 0, done.err
        assert "RGB" not in done.err


def test_axes_that_the_file_declares_and_does_not_give_are_refused(
    tmp_path: Path, onnxcert: Any
) -> None:
    proto = graphs.conv(3, batch=1, size=(12, 16), tail="scores = Squeeze(raw, zero)", zero=[0])
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
    proto = graphs.model(
        "(float[n, ?, ?, ?] image) => (float[n, 2, h, w] scores) {"
        " soft = Softplus(image) scores = Conv(soft, weight) }",
        weight=np.random.default_rng(0).normal(size=(2, 3, 1, 1)),
    )
    path = graphs.save(proto, tmp_path / "model.onnx")
    shown = onnxcert("inspect", path, "--range", "0,1").out.splitlines()
    assert [line.split()[-1] for line in shown if "onnxcert certify" in line] == ["NCHW"]


def test_a_number_that_is_offered_is_shown_as_one(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(graphs.conv(), tmp_path / "model.onnx")
    done = onnxcert("inspect", path, "--range", "0,1", "--output-form", "multilabel")
    assert done.status == 2
    shown = [line.split()[-2:] for line in done.out.splitlines() if "onnxcert certify" in line]
    assert shown == [["--threshold", "0"], ["--threshold", "0.5"]]
