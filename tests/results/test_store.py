"""One folder, one run: the same command goes on, any other is refused by what differs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest
from PIL import Image

from onnxcert import ResultStore
from onnxcert.results.fingerprint import fingerprint
from onnxcert.results.hdf5 import put

BASE = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--no-pictures", "--json")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


@pytest.fixture
def out(tmp_path: Path, model: Path, pictures: Path, onnxcert: Any) -> Path:
    """A finished run with seed 5."""
    folder = tmp_path / "out"
    assert onnxcert("certify", model, pictures, *BASE, "--seed", "5", "--out", folder).status == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("results.h5", ".lock")
    }


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--sigma", "0.25"), "sigma 0.2, now 0.25"),
        (("--tau", "0.8"), "tau 0.75, now 0.8"),
        (("--n", "80"), "n 60, now 80"),
        (("--n0", "9"), "n0 10, now 9"),
        (("--alpha", "0.01"), "alpha 0.001, now 0.01"),
        (("--alpha-scope", "dataset"), "alpha_inputs nothing, now"),
        (("--correction", "bonferroni"), "correction holm, now bonferroni"),
        (("--selection", "split"), "selection pooled, now split"),
        (("--seed", "6"), "seed 5, now 6"),
        (("--scale", "0.5"), "scale 1.0, now 0.5"),
        (("--range", "0,255"), "contract"),
        (("--mean", "0.1,0.1,0.1"), "contract"),
        (("--ignore-label", "1"), "ignore_label nothing, now 1"),
        (("--labels", "pictures/labels"), "labels false, now true"),
    ],
)
def test_other_parameters_are_refused_by_name_and_change_nothing(
    out: Path, model: Path, pictures: Path, onnxcert: Any, flags: tuple[str, ...], named: str
) -> None:
    if flags[0] == "--labels":
        labels = pictures.parent / "labels"
        labels.mkdir()
        for path in pictures.iterdir():
            np.save(labels / f"{path.stem}.npy", np.zeros((12, 16), np.uint8))
        flags = ("--labels", str(labels))
    before = contents(out)
    outcome = onnxcert("certify", model, pictures, *BASE, *flags, "--out", out)
    assert named in outcome.refusal
    assert str(out) in outcome.refusal
    assert contents(out) == before


def test_another_model_is_refused(out: Path, tmp_path: Path, pictures: Path, onnxcert: Any) -> None:
    other = graphs.save(graphs.threshold(0.51), tmp_path / "other.onnx")
    outcome = onnxcert("certify", other, pictures, *BASE, "--out", out)
    assert "holds a run with model" in outcome.refusal


def test_another_comparison_model_is_refused(
    out: Path, model: Path, pictures: Path, onnxcert: Any
) -> None:
    outcome = onnxcert("certify", model, pictures, *BASE, "--nonrobust", model, "--out", out)
    assert "nonrobust nothing, now" in outcome.refusal


def test_what_does_not_change_a_result_may_change(
    out: Path, model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("dark\nbright\n")
    moved = Path(shutil.copy(model, tmp_path / "copy.onnx"))
    outcome = onnxcert(
        *("certify", moved, pictures, *BASE, "--out", out),
        *("--batch-size", "3", "--threads", "2", "--class-names", names, "--limit", "2"),
    )
    assert outcome.status == 0
    assert outcome.json["inputs"]["finished"] == 2


def test_a_picture_that_has_changed_is_refused(
    out: Path, model: Path, pictures: Path, onnxcert: Any
) -> None:
    path = pictures / "p1.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    outcome = onnxcert("certify", model, pictures, *BASE, "--out", out)
    assert str(path) in outcome.refusal
    assert "has changed" in outcome.refusal


def test_labels_that_have_changed_are_refused(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    command = ("certify", model, pictures, *BASE, "--labels", labels, "--out", tmp_path / "truth")
    for path in pictures.iterdir():
        np.save(labels / f"{path.stem}.npy", np.zeros((12, 16), np.uint8))
    first = onnxcert(*command)
    assert onnxcert(*command).json["certified"] == first.json["certified"]
    before = contents(tmp_path / "truth")
    truth = np.zeros((12, 16), np.uint8)
    truth[3, 5] = 1
    np.save(labels / "p1.npy", truth)
    outcome = onnxcert(*command)
    assert (outcome.status, outcome.out) == (2, "")
    assert f"{labels / 'p1.npy'} has changed" in outcome.err
    assert "--out" in outcome.err
    assert contents(tmp_path / "truth") == before


def test_a_run_does_not_go_on_with_records_of_other_names_or_through_links(
    out: Path, model: Path, pictures: Path, onnxcert: Any
) -> None:
    (out.parent / "victim.h5").write_text("mine")
    shutil.copytree(out, out.parent / "linked")
    with h5py.File(out / "inputs" / "p1.h5", "r+") as file:
        put(file, "name", "../../victim")
        put(file, "sha256", fingerprint(file))
    (out.parent / "linked" / "partial").rmdir()
    (out.parent / "linked" / "partial").symlink_to(out.parent)
    for folder, said in ((out, "p1 in"), (out.parent / "linked", "partial in")):
        before = contents(out.parent)
        outcome = onnxcert("certify", model, pictures, *BASE, "--out", folder)
        assert (outcome.status, outcome.out) == (2, "")
        assert said in outcome.err
        assert contents(out.parent) == before


def test_the_same_picture_in_another_file_is_the_same(
    out: Path, model: Path, pictures: Path, onnxcert: Any
) -> None:
    path = pictures / "p1.png"
    Image.open(path).save(path.with_suffix(".bmp"))
    path.unlink()
    assert onnxcert("certify", model, pictures, *BASE, "--out", out).status == 0


def test_without_a_seed_the_stored_one_is_taken(
    out: Path, model: Path, pictures: Path, onnxcert: Any
) -> None:
    (out.parent / "inputs").mkdir()
    (out / "inputs" / "p1.h5").rename(out.parent / "inputs" / "p1.h5")
    outcome = onnxcert("certify", model, pictures, *BASE, "--out", out)
    assert outcome.json["draws"]["seed"] == 5
    before = ResultStore(out.parent).read("p1")
    assert np.array_equal(ResultStore(out).read("p1").tally.hits[...], before.tally.hits[...])


def test_a_fresh_seed_is_recorded_and_reproduces(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    first = onnxcert("certify", model, pictures, *BASE, "--out", tmp_path / "a").json
    other = onnxcert("certify", model, pictures, *BASE, "--out", tmp_path / "b").json
    assert first["draws"]["seed"] != other["draws"]["seed"]
    seed = first["draws"]["seed"]
    onnxcert("certify", model, pictures, *BASE, "--out", tmp_path / "c", "--seed", seed)
    a, b, c = (ResultStore(tmp_path / k).read("p0").tally.hits[...] for k in "abc")
    assert np.array_equal(a, c)
    assert not np.array_equal(a, b)


def test_a_finished_run_runs_nothing_again(
    out: Path, model: Path, pictures: Path, onnxcert: Any
) -> None:
    before = contents(out)
    times = {path: path.stat().st_mtime_ns for path in (out / "inputs").iterdir()}
    again = onnxcert("certify", model, pictures, *BASE, "--out", out)
    assert again.status == 0
    assert again.json["seconds"]["forward"] == 0
    assert contents(out) == before
    assert {path: path.stat().st_mtime_ns for path in (out / "inputs").iterdir()} == times


def test_more_pictures_are_added_to_those_that_are_done(
    out: Path, model: Path, pictures: Path, onnxcert: Any
) -> None:
    shutil.copy(pictures / "p0.png", pictures / "p9.png")
    times = {path: path.stat().st_mtime_ns for path in (out / "inputs").iterdir()}
    outcome = onnxcert("certify", model, pictures, *BASE, "--out", out)
    assert outcome.json["inputs"]["finished"] == 4
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert ResultStore(out).names() == ["p0", "p1", "p2", "p9"]


def test_a_second_command_is_refused_while_the_first_one_runs(
    out: Path, model: Path, pictures: Path, onnxcert: Any
) -> None:
    with ResultStore(out).exclusive():
        outcome = onnxcert("certify", model, pictures, *BASE, "--out", out)
    assert "another run" in outcome.refusal


def test_a_deleted_picture_is_drawn_again_from_the_store(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    drawing = [flag for flag in BASE if flag != "--no-pictures"]
    out = tmp_path / "drawn"
    onnxcert("certify", model, pictures, *drawing, "--out", out)
    path = out / "pictures" / "p1.png"
    before = path.read_bytes()
    path.unlink()
    again = onnxcert("certify", model, pictures, *drawing, "--out", out)
    assert again.json["seconds"]["forward"] == 0
    assert path.read_bytes() == before


def test_deleted_labels_are_written_again_from_the_store(
    out: Path, model: Path, pictures: Path, onnxcert: Any
) -> None:
    before = contents(out)
    shutil.rmtree(out / "labels")
    onnxcert("certify", model, pictures, *BASE, "--out", out)
    assert contents(out) == before


def test_labels_are_written_as_index_png_and_npy(out: Path) -> None:
    for name in ("p0", "p1", "p2"):
        labels = np.load(out / "labels" / f"{name}.npy")
        assert np.array_equal(labels, ResultStore(out).read(name).labels[...])
        assert {-1, 0, 1} == set(np.unique(labels))
        picture = np.asarray(Image.open(out / "labels" / f"{name}.png"))
        assert np.array_equal(picture, np.where(labels == -1, 255, labels))
