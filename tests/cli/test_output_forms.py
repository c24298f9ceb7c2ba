"""`certify` and `inspect` on answers of every form: right, or refused in one sentence."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH = 12, 16
FLAGS = ("--range", "0,1", "--sigma", "0.03", "--n", "80", "--threads", "1", "--no-pictures")


FIXED, FREE = "float[1, 3, 12, 16] x", "float[n, 3, h, w] x"
TWO, ONE = "c = Conv(x, w, b)", "d = Conv(x, w1, b1)"
FILES = {
    "scores_chw": (FIXED, "float[2, 12, 16]", f"{TWO} y = Squeeze(c, z)"),
    "scores_hwc": (
        *(FIXED, "float[12, 16, 2]"),
        f"{TWO} s = Squeeze(c, z) y = Transpose<perm = [1, 2, 0]>(s)",
    ),
    "classes_hw": (
        *(FIXED, "int64[12, 16]"),
        f"{TWO} a = ArgMax<axis = 1, keepdims = 0>(c) y = Squeeze(a, z)",
    ),
    "sigmoid_hw": (FIXED, "float[12, 16]", f"{ONE} p = Sigmoid(d) y = Squeeze(p, zz)"),
    "sigmoid_no_dims_named": ("float[?, 3, ?, ?] x", "float[?, ?, ?, ?]", f"{ONE} y = Sigmoid(d)"),
    "bool_hw": (FIXED, "bool[12, 16]", f"{ONE} g = Greater(d, lo) y = Squeeze(g, zz)"),
    "baked_batch": (FREE, "float[n, 2, h, w]", "r = Reshape(x, baked) y = Conv(r, w, b)"),
    "coarse": (
        *(FREE, "float[n, 2, i, j]"),
        f"{TWO} y = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(c)",
    ),
    "cropped": (FREE, "float[n, 2, i, j]", f"{TWO} y = Slice(c, from, to, sides)"),
    "list": (FIXED, "float[192, 2]", f"{TWO} y = Reshape(c, list)"),
    "enhancer": (FIXED, "float[1, 3, 12, 16]", "y = Clip(x, lo, hi)"),
}


def written(folder: Path, name: str) -> Path:
    """One of the files: the left half of the picture is red, which is class 1."""
    weight = np.zeros((2, 3, 1, 1))
    weight[1, 0] = 8
    taken, given, nodes = FILES[name]
    constants = {
        **{"w": weight, "b": [2.0, 0.0], "w1": weight[1:], "b1": [-2.0], "z": [0], "zz": [0, 1]},
        **{"lo": 0.0, "hi": 1.0, "baked": [1, 3, HEIGHT, WIDTH], "list": [-1, 2]},
        **{"from": [2, 2], "to": [-2, -2], "sides": [2, 3]},
    }
    model = graphs.model(f"({taken}) => ({given} y) {{ {nodes} }}", **constants)
    path = graphs.save(model, folder / f"{name}.onnx")
    values = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    values[:, : WIDTH // 2, 0] = 255
    Image.fromarray(values).save(folder / "left.png")
    return path


def certified(out: Path) -> Any:
    """The map of certified labels, as the label file has it."""
    with Image.open(out / "labels" / "left.png") as image:
        return np.array(image)


ANSWERED = {
    "scores_chw": "logits (assumed) in 'y', axes CHW (the graph: [2, 12, 16])",
    "scores_hwc": "logits (assumed) in 'y', axes HWC (the graph: [12, 16, 2])",
    "classes_hw": "labels (the graph: int64 values) in 'y', axes HW (the graph: [12, 16])",
    "sigmoid_hw": "sigmoid (the graph: it ends in Sigmoid) in 'y', axes HW (the graph: [12, 16])",
    "sigmoid_no_dims_named": "sigmoid (the graph: it ends in Sigmoid) in 'y', axes NCHW (trial "
    "passes: its height and width)",
    "bool_hw": "labels (the graph: bool values) in 'y', axes HW (the graph: [12, 16])",
    "baked_batch": "logits (assumed) in 'y', axes NCHW (the graph: its height and width)",
}


@pytest.mark.parametrize("name", ANSWERED)
def test_the_right_halves_are_certified_and_the_form_is_told(
    name: str, tmp_path: Path, onnxcert: Any
) -> None:
    path, out = written(tmp_path, name), tmp_path / "out"
    done = onnxcert("certify", path, tmp_path / "left.png", *FLAGS, "--out", out)
    assert done.status == 0, done.err
    (line,) = [text for text in done.err.splitlines() if text.startswith("output  ")]
    assert line.startswith(f"output  {ANSWERED[name]}, 2 classes")
    assert line.endswith("one input per pass") == (name != "sigmoid_no_dims_named")
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[:, : WIDTH // 2] = 1
    np.testing.assert_array_equal(certified(out), expected)


def test_one_row_a_pass_with_a_batch_size_of_one(tmp_path: Path, onnxcert: Any) -> None:
    path, out = written(tmp_path, "baked_batch"), tmp_path / "out"
    done = onnxcert(
        "certify", path, tmp_path / "left.png", *FLAGS, "--batch-size", "1", "--out", out
    )
    assert done.status == 0, done.err
    assert set(np.unique(certified(out))) == {0, 1}


def test_scores_on_a_coarser_grid_are_said_to_be_resized(tmp_path: Path, onnxcert: Any) -> None:
    path, out = written(tmp_path, "coarse"), tmp_path / "out"
    done = onnxcert("certify", path, tmp_path / "left.png", *FLAGS, "--out", out)
    assert done.status == 0, done.err
    assert "2 classes, resized from 6x8\n" in done.err
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[:, : WIDTH // 2] = 1
    np.testing.assert_array_equal(certified(out)[:, [0, 1, -1]], expected[:, [0, 1, -1]])
    fine = written(tmp_path, "baked_batch")
    other = onnxcert("certify", fine, tmp_path / "left.png", *FLAGS, "--out", tmp_path / "fine")
    assert "resized" not in other.err


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("list", "[192, 2]"),
        ("enhancer", "may be an image"),
        ("cropped", "neither those of the input"),
    ],
)
def test_what_labels_no_pixels_is_refused(
    name: str, why: str, tmp_path: Path, onnxcert: Any
) -> None:
    path = written(tmp_path, name)
    for arguments in (
        ("certify", path, tmp_path / "left.png", *FLAGS, "--out", tmp_path / "out"),
        ("inspect", path, "--range", "0,1"),
    ):
        done = onnxcert(*arguments)
        assert done.status == 2
        assert why in done.err
        assert "Traceback" not in done.err
        assert "onnxcert certify" not in done.out  # nothing is recommended
    # Only a picture shows what a free size comes out as, so that the folder is made before.
    assert (tmp_path / "out").exists() == (name == "cropped")


def test_a_form_that_was_said_is_marked_as_given(tmp_path: Path, onnxcert: Any) -> None:
    path = written(tmp_path, "enhancer")
    done = onnxcert(
        *("certify", path, tmp_path / "left.png", *FLAGS, "--output-form", "logits"),
        *("--out", tmp_path / "out"),
    )
    assert done.status == 0, done.err
    assert "output  logits (given) in 'y', axes NCHW" in done.err


def test_class_names_that_the_user_gives_say_that_it_is_no_image(
    tmp_path: Path, onnxcert: Any
) -> None:
    path = written(tmp_path, "enhancer")
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    done = onnxcert(
        *("certify", path, tmp_path / "left.png", *FLAGS, "--out", tmp_path / "out"),
        *("--class-names", tmp_path / "names.txt"),
    )
    assert done.status == 0, done.err


@pytest.mark.parametrize("name", ANSWERED)
def test_every_command_line_that_inspect_shows_certifies_the_right_halves(
    name: str, tmp_path: Path, onnxcert: Any
) -> None:
    path = written(tmp_path, name)
    done = onnxcert("inspect", path)
    assert done.status == 2  # as certify refuses it
    lines = re.findall(r"^  onnxcert (certify .*)$", done.out, re.MULTILINE)
    assert len(lines) == 3
    for i, line in enumerate(lines):
        words = shlex.split(line.replace("PICTURES", str(tmp_path / "left.png")))
        out = tmp_path / f"out{i}"
        again = onnxcert(*words, "--sigma", "0.03", "--n", "80", "--threads", "1", "--out", out)
        assert again.status == 0, again.err
        left, right = np.hsplit(certified(out), 2)
        assert (left == 1).all()
        # Where black is 0 and white 255, the noise is 255 times as large: 255 abstains.
        assert set(np.unique(right)) <= ({0, 255} if "0,255" in line else {0})


def test_a_number_that_inspect_offers_is_taken_as_certify_takes_it(
    tmp_path: Path, onnxcert: Any
) -> None:
    path = written(tmp_path, "baked_batch")
    done = onnxcert("inspect", path, "--output-form", "multilabel", "--range", "0,1")
    assert done.status == 2
    lines = re.findall(r"^  onnxcert (certify .*)$", done.out, re.MULTILINE)
    assert [line.split()[-2:] for line in lines] == [["--threshold", "0"], ["--threshold", "0.5"]]
    words = shlex.split(lines[0].replace("PICTURES", str(tmp_path / "left.png")))
    out = ("--out", tmp_path / "out")
    assert onnxcert(*words, "--sigma", "0.03", "--n", "80", "--threads", "1", *out).status == 0
