"""What a run wrote is never certified, however it comes to lie among the inputs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from drawing import write_picture

from onnxcert import ResultStore
from onnxcert.data.datasets import READERS
from onnxcert.data.points import CLOUD_READERS

QUICK = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--seed", "1")


def results(folder: Path) -> Path:
    """A folder with what a run writes, as far as its names go."""
    store = ResultStore(folder)
    with store.exclusive():
        store.begin({"model": "m"}, seed=1, random_seed=1)
    for name in ("labels/a.png", "labels/a.npy", "labels/b/000-x.png", "pictures/a.png"):
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    for name in ("curve.png", "pictures/a.ply", "results.h5", "inputs/a.h5"):
        (folder / name).touch()
    return folder


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`data`, where we are, has two pictures and results at every depth."""
    data = tmp_path / "data"
    for name in ("one/x.png", "two/y.png"):
        (data / name).parent.mkdir(parents=True)
        (data / name).touch()
    results(data / "onnxcert-results" / "street-1234")
    results(data / "one" / "out")
    monkeypatch.chdir(data)
    return data


def expanded(pattern: str) -> list[str]:
    """What a shell makes of a pattern."""
    return sorted(str(path) for path in Path().glob(pattern))


@pytest.mark.parametrize(
    "arguments",
    [
        ["."],
        ["**/*.png"],
        ["**"],
        ["*"],
        ["../data/*/**/*.png"],
        ["one", "two", "onnxcert-results"],
        expanded,
    ],
    ids=lambda arguments: "expanded" if callable(arguments) else str(arguments),
)
def test_results_below_the_inputs_are_skipped(inputs: Path, arguments: Any) -> None:
    if arguments is expanded:
        arguments = expanded("**/*.png")
        assert len(arguments) > 5
    listing = READERS["folder"].list(arguments, None)
    assert {os.path.realpath(item.path) for item in listing.items} == {
        str(inputs / "one/x.png"),
        str(inputs / "two/y.png"),
    }
    folders = listing.skipped_results
    assert len(folders) == len(set(folders)) > 0


def test_results_that_lie_among_the_inputs_themselves_are_skipped(tmp_path: Path) -> None:
    results(tmp_path)
    for name in ("x.png", "y.npy"):
        (tmp_path / name).touch()
    listing = READERS["folder"].list([str(tmp_path)], None)
    assert [item.name for item in listing.items] == ["x", "y"]
    clouds = CLOUD_READERS["clouds"].list([str(tmp_path)], None)
    assert [item.name for item in clouds.items] == ["y"]
    assert listing.skipped_results == clouds.skipped_results == (tmp_path,)


@pytest.mark.parametrize("named", ["out", "out/labels", "out/pictures/a.png", "out/*/*.png"])
def test_where_there_is_nothing_but_results_it_says_so(
    tmp_path: Path, named: str, onnxcert: Any
) -> None:
    results(tmp_path / "out")
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    outcome = onnxcert("certify", model, tmp_path / named, *QUICK)
    assert "only results that onnxcert wrote to" in outcome.refusal.splitlines()[-1]


def test_a_run_json_of_somebody_else_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "x.png").touch()
    (tmp_path / "run.json").write_text(json.dumps({"parameters": {}, "seed": 1}))
    listing = READERS["folder"].list([str(tmp_path)], None)
    assert [item.name for item in listing.items] == ["x"]


def test_results_among_labels_are_none(tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    labels = tmp_path / "truth"
    labels.mkdir()
    (labels / "x.npy").touch()
    results(labels / "x")
    (labels / "x" / "labels" / "x.png").touch()
    listing = READERS["folder"].list([str(tmp_path / "x.png")], str(labels))
    assert [item.label for item in listing.items] == [labels / "x.npy"]
    assert listing.skipped_results == (labels / "x",)


def test_a_folder_of_results_is_no_class(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.png").touch()
    results(tmp_path / "a-run")
    results(tmp_path / "onnxcert-results" / "run")
    listing = READERS["imagefolder"].list([str(tmp_path)], None)
    assert [item.name for item in listing.items] == ["cat", "dog"]
    assert len(listing.skipped_results) == 2
    told = listing.items[0].class_label
    assert told is not None
    assert told.index((), classes=2, ignore_label=None) == 0


def test_a_second_run_over_the_folder_we_are_in_certifies_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, onnxcert: Any
) -> None:
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    (tmp_path / "here" / "pictures").mkdir(parents=True)
    write_picture(tmp_path / "here" / "pictures" / "p.png", seed=1)
    monkeypatch.chdir(tmp_path / "here")
    # The default folder for results lies below the one we are in, and so does another.
    for out in ((), (), ("--out", "zz"), ()):
        outcome = onnxcert("certify", model, ".", *QUICK, "--json", *out)
        assert outcome.status == 0
        assert outcome.json["inputs"]["finished"] == 1
    assert outcome.err.count("skipped") == 1
    assert "here/onnxcert-results/" in outcome.err
    assert "and 1 more" in outcome.err


@pytest.mark.parametrize("sub", ["pictures", "labels", "inputs", "partial"])
def test_results_are_never_written_over_inputs(tmp_path: Path, sub: str, onnxcert: Any) -> None:
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    (tmp_path / "project" / sub).mkdir(parents=True)
    picture = tmp_path / "project" / sub / "p.png"
    write_picture(picture, seed=1)
    before = picture.read_bytes()
    outcome = onnxcert("certify", model, picture.parent, *QUICK, "--out", tmp_path / "project")
    assert "holds files that are not results" in outcome.refusal
    assert picture.read_bytes() == before
    assert np.array_equal(sorted(path.name for path in picture.parent.iterdir()), ["p.png"])
