"""A classifier from the command line: truth, files, pictures, and the certificate behind them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
import zoo
from classifier import THREE, ClassifierDialect, MeanColour
from PIL import Image
from scipy.stats import norm

from onnxcert import ResultStore
from onnxcert.report.figures.classification import VoteBar, draw_classification

TWO = MeanColour()
FLAGS = ("--range", "0,1", "--sigma", "0.5", "--seed", "1")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two dark pictures and a bright one, each in the folder of its class."""
    top = tmp_path / "photos"
    for i, (name, grey) in enumerate((("dark", 0.1), ("bright", 0.7), ("dark", 0.05))):
        pixels = np.random.default_rng(i).normal(grey, 0.05, (3, 12, 16))
        zoo.write_picture(top / name / f"x{i}.png", pixels.clip(0, 1))
    return top


def model_at(folder: Path, form: str = "logits") -> Path:
    function = THREE if form == "multilabel" else TWO
    return graphs.save(ClassifierDialect(form=form).proto(function), folder / "model.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "folders"])
def test_accuracy_counts_each_picture_once(
    kind: str, photos: Path, tmp_path: Path, onnxcert: Any
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("dark\nbright\n")
    truth: tuple[object, ...] = ("--dataset", "imagefolder")
    if kind == "table":
        table = tmp_path / "labels.csv"
        table.write_text("picture,class\nx0,dark\nx1,1\nx2,bright\n")  # the last is wrong
        truth = ("--labels", table)
    out = tmp_path / "out"
    where = ("--class-names", names, "--out", out, "--json")
    done = onnxcert("certify", model_at(tmp_path), photos, *FLAGS, *truth, *where)
    assert done.status == 0, done.err
    accuracy = 1.0 if kind == "folders" else 2 / 3
    for row in ("clean", "certified"):
        assert done.json[row]["accuracy"] == pytest.approx(accuracy)
    assert done.json["inputs"]["components"] == 1
    assert "N 1 component (the whole picture)" in done.json["guarantee"]["statement"]
    assert onnxcert("verify", out).status == 0


@pytest.mark.slow
def test_what_a_run_leaves_of_each_picture(photos: Path, tmp_path: Path, onnxcert: Any) -> None:
    out = tmp_path / "out"
    command = (
        *("certify", model_at(tmp_path), photos, *FLAGS, "--out", out, "--tau", "0.5"),
        *("--correction", "bonferroni", "--radius-map", "--n", "200"),
    )
    assert onnxcert(*command).status == 0
    assert np.load(out / "labels" / "x1.npy").tolist() == [1]
    with Image.open(out / "labels" / "x1.png") as image:
        assert np.asarray(image).tolist() == [[1]]
    picture = out / "pictures" / "x1.png"
    drawn = picture.read_bytes()
    with ResultStore(out).open("x1") as record:
        radius = float(np.asarray(record.radii[...])[int(record.level[0]) - 1])
        # Unanimous: the closed form of Clopper and Pearson, less what pooling costs.
        assert radius <= 0.5 * norm.ppf(0.001 ** (1 / 200))
        assert radius == pytest.approx(0.5 * norm.ppf(0.001 ** (1 / 200)), rel=0.01)
    picture.unlink()
    shutil.rmtree(out / "labels")
    assert onnxcert(*command).status == 0  # derived again, not counted again
    assert picture.read_bytes() == drawn
    assert onnxcert("verify", out).status == 0


@pytest.mark.slow
def test_labels_that_do_not_exclude_each_other(photos: Path, tmp_path: Path, onnxcert: Any) -> None:
    out = tmp_path / "out"
    names = tmp_path / "names.txt"
    names.write_text("red\ngreen\nblue\n")
    flags = (*FLAGS, "--output-form", "multilabel", "--class-names", names, "--out", out)
    done = onnxcert("certify", model_at(tmp_path, "multilabel"), photos, *flags)
    assert done.status == 0, done.err
    assert "N 3 components (labels of the whole picture)" in done.out
    assert np.load(out / "labels" / "x1.npy").tolist() == [1, 1, 1]
    assert np.load(out / "labels" / "x0.npy").tolist() == [0, 0, 0]
    assert onnxcert("verify", out).status == 0
    told = onnxcert(
        *("certify", model_at(tmp_path, "multilabel"), photos, *flags[:-1], tmp_path / "other"),
        *("--dataset", "imagefolder"),
    )
    assert told.status == 2
    assert told.err.count("\n") == 1


def test_a_classifier_is_not_compared_with_a_segmentation_model(
    photos: Path, tmp_path: Path, onnxcert: Any
) -> None:
    from graphs import threshold

    other = graphs.save(threshold(), tmp_path / "other.onnx")
    done = onnxcert(
        *("certify", model_at(tmp_path), photos, *FLAGS),
        *("--nonrobust", other, "--out", tmp_path / "out"),
    )
    assert "the same components" in done.refusal


@pytest.mark.parametrize("form", ["logits", "multilabel"])
def test_what_a_classifier_sees_and_answers_is_drawn(
    form: str, photos: Path, tmp_path: Path, onnxcert: Any
) -> None:
    seen = tmp_path / "seen.png"
    extra = () if form == "logits" else ("--output-form", form)
    picture = photos / "dark" / "x0.png"
    done = onnxcert(
        "inspect", model_at(tmp_path, form), picture, "--range", "0,1", *extra, "--out", seen
    )
    assert done.status == 0, done.err
    with Image.open(seen) as image:
        assert image.width > 500


def bar(path: Path, answer: VoteBar, mark: float = 0.5) -> np.ndarray[Any, Any]:
    """One row of pixels through the bar, without its frame."""
    draw_classification(
        path,
        image=np.zeros((3, 64, 64), np.float32),
        bars=[answer],
        extra_lines=[],
        tau=mark,
        title="x",
        caption="c",
    )
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    hue = np.array(answer.colour)
    rows = (np.abs(pixels - hue).sum(axis=2) == 0).sum(axis=1)
    return pixels[int(np.argmax(rows > 0)) + 9]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_the_bar_is_as_long_as_the_share_of_votes(share: float, tmp_path: Path) -> None:
    colour = (200, 30, 60)
    answer = VoteBar("dog, R = 0.1", "votes", share, colour, certified=True)
    line = bar(tmp_path / "a.png", answer, mark=0.99)
    filled = int((line == colour).all(axis=1).sum())
    empty = int((line == 255).all(axis=1).sum())
    assert filled / (filled + empty) == pytest.approx(share, abs=0.02)
    hollow = bar(tmp_path / "b.png", VoteBar("abstain", "votes", share, colour, certified=False))
    assert (hollow == colour).all(axis=1).sum() <= 6
