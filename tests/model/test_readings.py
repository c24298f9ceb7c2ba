"""Where two readings are possible, `inspect` prints the command line of each."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import graphs
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
