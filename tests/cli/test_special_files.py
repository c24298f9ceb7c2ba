"""Whatever is named in place of a file is one sentence at once, and nothing waits for a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest
from drawing import write_picture
from PIL import Image

from onnxcert.results.fingerprint import fingerprint

if sys.platform == "win32":
    pytest.skip("such files are of POSIX", allow_module_level=True)

COUNT = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--no-pictures", "--seed", "5")


@pytest.fixture(autouse=True)
def _never_waits() -> Iterator[None]:
    """End a test that waits for a pipe, which would else be for ever."""

    def fail(*_: object) -> None:
        raise AssertionError("waited for a pipe")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(600)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


@pytest.fixture
def results(tmp_path: Path, model: Path, pictures: Path, onnxcert: Any) -> Path:
    out = tmp_path / "out"
    assert onnxcert("certify", model, pictures, *COUNT, "--out", out).status == 0
    return out


def pipe(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def device(path: Path) -> Path:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")
    return path


def sparse(path: Path) -> Path:
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(2**40)
    return path


ODD: list[Callable[[Path], Path]] = [pipe, device, sparse]


def refused(outcome: Any) -> None:
    said = [line for line in outcome.err.splitlines() if line.startswith("onnxcert: ")]
    assert (outcome.status, len(said)) == (2, 1), outcome
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_file_of_its_size_is_refused_wherever_a_file_is_named(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any, odd: Callable[[Path], Path]
) -> None:
    usual = ("certify", model, pictures, *COUNT, "--out", tmp_path / "new")
    labelled = (*usual, "--labels", pictures)
    for command in (
        ("certify", model, odd(tmp_path / "one.png"), *COUNT, "--out", tmp_path / "new"),
        (*usual, "--labels", odd(tmp_path / "labels.csv")),
        (*usual, "--class-names", odd(tmp_path / "names.txt")),
        (*labelled, "--palette", odd(tmp_path / "palette.txt")),
        (*labelled, "--label-map", odd(tmp_path / "map.txt")),
        (*usual, "--feed", f"x={odd(tmp_path / 'feed.npy')}"),
        (*usual, "--categories", odd(tmp_path / "categories.txt")),
        ("inspect", model, odd(tmp_path / "two.png")),
        ("report", odd(tmp_path / "pack.h5")),
        ("verify", odd(tmp_path / "pack.h5")),
    ):
        refused(onnxcert(*command))


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_file_of_its_size_is_refused_within_results(
    results: Path, onnxcert: Any, odd: Callable[[Path], Path]
) -> None:
    odd(results / "inputs" / "p1.h5")
    refused(onnxcert("report", results))
    (results / "inputs" / "p1.h5").unlink()
    odd(results / "run.json")
    refused(onnxcert("report", results))


@pytest.mark.parametrize("where", ["tally/hits", "junk", "certificate/labels"])
def test_an_array_larger_than_its_record_is_not_read(
    results: Path, onnxcert: Any, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(results / "inputs" / "p1.h5", "r+") as file:
        if where in file:
            del file[where]
        # Two million zeros in two kilobytes; gigabytes are claimed the same way.
        file.create_dataset(where, data=np.zeros(2**21, np.uint32), compression="gzip")
    read: list[int] = []
    usual = h5py.Dataset.__getitem__

    def counted(array: h5py.Dataset, *args: Any, **options: Any) -> Any:
        read.append(array.size)
        return usual(array, *args, **options)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    refused(onnxcert("report", results))
    assert max(read, default=0) < 2**20


EDITS: list[Callable[[h5py.File], object]] = [
    lambda file: swap(file, "tally/hits", lambda a: a.astype(np.float64) * np.nan),
    lambda file: swap(file, "tally/candidate", lambda a: a.astype(np.float32)),
    lambda file: swap(file, "predictions/clean", lambda a: a.reshape(-1)),
    lambda file: file["tally"].attrs.create("n", np.inf),
    lambda file: file["certificate"].attrs.modify("rule", "[" * 5000 + "]" * 5000),
    lambda file: file["certificate"].attrs.modify("components", "9" * 5000),
    lambda file: file["provenance"].attrs.modify("model", "NaN"),
]


def swap(file: h5py.File, name: str, change: Callable[[Any], Any]) -> None:
    array = change(file[name][...])
    del file[name]
    file[name] = array


@pytest.mark.parametrize("edit", EDITS, ids=range(len(EDITS)))
def test_an_edited_record_with_a_new_digest_is_one_sentence(
    results: Path, onnxcert: Any, edit: Callable[[h5py.File], object]
) -> None:
    with h5py.File(results / "inputs" / "p1.h5", "r+") as file:
        edit(file)
        with contextlib.suppress(ValueError, RecursionError):
            file.attrs["sha256"] = fingerprint(file)
    for command in (("report", results), ("decide", results, "--tau", "0.8")):
        refused(onnxcert(*command))
    assert onnxcert("verify", results).status in (1, 2)


@pytest.mark.parametrize(
    "change",
    [{"listed": [1, "a"]}, {"listed": "a"}, {"skipped": {"a": []}}, {"seed": "1"}, {"seed": None}],
)
def test_an_edited_run_is_one_sentence(
    results: Path, model: Path, pictures: Path, onnxcert: Any, change: dict[str, Any]
) -> None:
    path = results / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    refused(onnxcert("report", results))
    refused(onnxcert("certify", model, pictures, *COUNT, "--out", results))


def test_a_long_name_is_one_sentence_and_a_long_field_is_no_name(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    long = "x" * 300
    for command in (
        ("certify", long, pictures, *COUNT),
        ("certify", model, long, *COUNT, "--out", tmp_path / "new"),
        ("certify", model, pictures, *COUNT, "--out", tmp_path / long),
        ("report", long),
    ):
        refused(onnxcert(*command))
    table = tmp_path / "classes.csv"
    table.write_text(f"p0.png,{'1' * 200_000}\n")
    refused(onnxcert("certify", model, pictures, *COUNT, "--labels", table))


def test_a_file_in_place_of_the_folder_of_results_is_named_as_one(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    file = tmp_path / "out.txt"
    file.write_text("mine")
    outcome = onnxcert("certify", model, pictures, *COUNT, "--out", file)
    refused(outcome)
    assert f"{file} is a file" in outcome.err
    assert file.read_text() == "mine"


def test_a_pattern_goes_through_each_folder_once(
    model: Path, tmp_path: Path, onnxcert: Any
) -> None:
    top = tmp_path / "top"
    (top / "a" / "b").mkdir(parents=True)
    write_picture(top / "a" / "p.png", seed=1)
    write_picture(top / "a" / "b" / "q.png", seed=2)
    (top / "a" / "up").symlink_to("..")
    (top / "a" / "b" / "top").symlink_to(top)
    (top / "same.png").symlink_to("a/p.png")
    outside = tmp_path / "outside"
    outside.mkdir()
    write_picture(outside / "r.png", seed=3)
    (top / "other").symlink_to(outside)
    outcome = onnxcert("certify", model, f"{top}/**/*.png", *COUNT, "--out", tmp_path / "out")
    assert outcome.status == 0
    assert sorted(path.stem for path in (tmp_path / "out/inputs").iterdir()) == ["p", "q", "r"]
    assert "left out 3 links to inputs that are listed already" in outcome.err


def composed(form: Any, name: str) -> str:
    return unicodedata.normalize(form, name)


def test_names_that_differ_in_how_letters_are_composed_are_two_and_labels_follow(
    model: Path, tmp_path: Path, onnxcert: Any
) -> None:
    names = [composed(form, "né.png") for form in ("NFC", "NFD")]
    pictures, labels = tmp_path / "pictures", tmp_path / "labels"
    pictures.mkdir()
    labels.mkdir()
    for seed, name in enumerate(names):
        write_picture(pictures / name, seed=seed)
        Image.fromarray(np.full((12, 16), seed, np.uint8)).save(labels / name)
    if len(list(pictures.iterdir())) < 2:
        pytest.skip("this file system knows one form of a name")
    command = ("certify", model, pictures, *COUNT, "--labels", labels, "--out")
    assert onnxcert(*command, tmp_path / "two").status == 0
    records = list((tmp_path / "two/inputs").iterdir())
    assert len({composed("NFC", path.name) for path in records}) == 2
    # With one label file left nobody knows whose it is, and alone it belongs to either form.
    (labels / names[0]).unlink()
    refused(onnxcert(*command, tmp_path / "three"))
    (pictures / names[1]).unlink()
    assert onnxcert(*command, tmp_path / "one").status == 0


def test_labels_of_a_picture_that_is_turned_upright_are_told_so(
    model: Path, tmp_path: Path, onnxcert: Any
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for folder in ("pictures", "labels"):
        (tmp_path / folder).mkdir()
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(tmp_path / "pictures/a.jpg", exif=exif)
    Image.fromarray(np.zeros((12, 16), np.uint8)).save(tmp_path / "labels/a.png")
    command = ("certify", model, tmp_path / "pictures", "--labels", tmp_path / "labels", *COUNT)
    outcome = onnxcert(*command, "--out", tmp_path / "out")
    refused(outcome)
    assert "EXIF" in outcome.err
