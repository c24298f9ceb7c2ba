"""Inputs from standard input, label files by a pattern, and several ignored labels."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from drawing import write_picture

from onnxcert import ResultStore

SMALL = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--no-pictures", "--seed", "5")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    return pictures


def label(path: str, *values: int) -> None:
    """Write labels of 12 x 16 pixels with a stripe of each value, and class 0 elsewhere."""
    labels = np.zeros((12, 16), np.uint8)
    for row, value in enumerate(values):
        labels[row] = value
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.save(path, labels)


def certify(onnxcert: Any, *arguments: object) -> Any:
    return onnxcert("certify", "model.onnx", *arguments, *SMALL)


def names(out: str = "out") -> list[str]:
    return ResultStore(out).names()


# -- a list on standard input ----------------------------------------------------------------------


def test_a_dash_reads_one_input_a_line(onnxcert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(Path("a b.png"), seed=7)
    monkeypatch.setattr(sys, "stdin", io.StringIO("pictures/p2.png\n\na b.png\n"))
    outcome = certify(onnxcert, "pictures/p0.png", "-", "--out", "out")
    assert outcome.status == 0, outcome.err
    assert names() == ["a b", "p0", "p2"]


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_list_is_one_sentence(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    outcome = certify(onnxcert, "-")
    assert outcome.status == 2
    assert "standard input" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_dash_twice_is_refused(onnxcert: Any) -> None:
    assert "only once" in certify(onnxcert, "-", "-").err


def test_a_saved_command_holds_the_list(onnxcert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("pictures/p1.png\n"))
    assert certify(onnxcert, "-", "--save-config", "run.toml").status == 0
    assert onnxcert("certify", "--config", "run.toml", "--out", "again").status == 0
    assert names("again") == ["p1"]


# -- label files by a pattern ----------------------------------------------------------------------


def labels_of(out: str) -> dict[str, str]:
    store = ResultStore(out)
    return {
        name: Path(store.read(name).provenance.input["label"]).as_posix() for name in store.names()
    }


def test_labels_beside_the_inputs_are_no_inputs(onnxcert: Any) -> None:
    for i in range(3):
        label(f"pictures/p{i}_mask.npy", 1)
    pattern = ("--labels-pattern", "{stem}_mask.npy")
    assert certify(onnxcert, "pictures", *pattern, "--out", "out").status == 0
    assert labels_of("out") == {f"p{i}": f"pictures/p{i}_mask.npy" for i in range(3)}


def test_labels_in_a_folder_may_have_the_subfolders_of_the_inputs(onnxcert: Any) -> None:
    for camera in ("left", "right"):
        Path("all", camera).mkdir(parents=True)
        write_picture(Path("all", camera, "x.png"), seed=1)
        label(f"masks/{camera}/x.gt.npy", 1)
    pattern = ("--labels", "masks", "--labels-pattern", "{stem}.gt.npy")
    assert certify(onnxcert, "all", *pattern, "--out", "out").status == 0
    assert sorted(labels_of("out").values()) == ["masks/left/x.gt.npy", "masks/right/x.gt.npy"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--labels-pattern", "mask.png"), "{stem}"),
        (("--labels-pattern", "{stem}_{n}.png"), "{stem}"),
        (("--labels-pattern", "{stem}_mask.png"), "p0_mask.png, but it is not in pictures"),
        (("--labels-pattern", "{stem}_mask.png", "--labels", "nowhere"), "is not in nowhere"),
        (("--labels-pattern", "{stem}.png", "--dataset", "camvid"), "--dataset camvid"),
    ],
)
def test_a_pattern_that_does_not_fit_is_one_sentence(
    onnxcert: Any, options: tuple[str, ...], words: str
) -> None:
    outcome = certify(onnxcert, "pictures", *options)
    assert outcome.status == 2
    assert words in outcome.err
    assert outcome.err.count("\n") == 1


# -- several ignored labels ------------------------------------------------------------------------


def run_file(out: str) -> Any:
    return json.loads(Path(out, "run.json").read_text())["parameters"]


@pytest.mark.parametrize(
    "options",
    [
        ("--ignore-label", "255,254"),
        ("--ignore-label", "254", "--ignore-label", "255"),
    ],
)
def test_each_ignored_label_is_left_out_of_the_metrics(
    onnxcert: Any, options: tuple[str, ...]
) -> None:
    for i in range(3):
        label(f"labels/p{i}.npy", 255, 254, 255)
        label(f"one/p{i}.npy", 255, 255, 255)
    several = certify(onnxcert, "pictures", "--labels", "labels", *options, "--out", "out-a")
    one = certify(
        onnxcert, "pictures", "--labels", "one", "--ignore-label", "255", "--out", "out-b"
    )
    assert (several.status, one.status) == (0, 0), several.err
    assert several.out.replace("out-a", "out-b") == one.out
    found = run_file("out-a")
    assert (found.pop("ignore_label"), found.pop("also_ignored")) == (254, [255])
    expected = run_file("out-b")
    assert expected.pop("ignore_label") == 255  # as runs of earlier versions have it
    assert found == expected
    for command in (("verify", "out-a"), ("decide", "out-a", "--alpha", "0.01")):
        assert onnxcert(*command).status == 0
    again = onnxcert("decide", "out-a", "--alpha", "0.01")  # reads the labels again
    assert "ground truth of some inputs is missing" not in again.out


def test_their_order_makes_no_other_run(onnxcert: Any) -> None:
    command = ("pictures", "--out", "out", "--ignore-label")
    assert certify(onnxcert, *command, "3,4").status == 0
    assert certify(onnxcert, *command, "4,3").status == 0
    assert certify(onnxcert, *command, "4").status == 2


@pytest.mark.parametrize("value", ["x", "1.5", "1,,2", ""])
def test_an_ignored_label_is_a_whole_number(onnxcert: Any, value: str) -> None:
    outcome = certify(onnxcert, "pictures", "--ignore-label", value)
    assert outcome.status == 2
    assert outcome.err.startswith("onnxcert: --ignore-label must be a whole number, or several ")
