"""The index of a folder spares reading records, and is never believed against them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest
from drawing import write_picture
from finished_run import enter_copy, finished_run

from onnxcert import ResultStore
from onnxcert.report.tables.summary import summarise
from onnxcert.results import hdf5

CERTIFY = ("certify", "model.onnx", "pictures", "--labels", "labels", "--sigma", "0.2", "--n", "60")
QUICK = (*CERTIFY, "--threads", "1", "--seed", "5", "--no-pictures", "--out", "out")
INDEX = Path("out/index.jsonl")
NAMES = ("p0", "p1", "p2")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, three pictures with labels, and their run."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "labels").mkdir()
    for i, name in enumerate(NAMES):
        write_picture(folder / "labels" / f"{name}.png", seed=i)
    _as_labels(folder / "labels")
    return finished_run(folder, QUICK, inputs=len(NAMES))


def _as_labels(folder: Path) -> None:
    import numpy as np
    from PIL import Image

    for path in folder.iterdir():
        with Image.open(path) as image:
            bright = np.asarray(image.convert("L")) > 127
        Image.fromarray(bright.astype(np.uint8)).save(path)


@pytest.fixture(autouse=True)
def bench(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it all that may be tampered with, as the working folder."""
    return enter_copy(made, tmp_path, monkeypatch)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the records that were opened since."""
    found: list[str] = []
    real = h5py.File

    def file(path: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(path, str | Path) and Path(path).parent.name == "inputs":
            found.append(Path(path).stem)
        return real(path, *arguments, **options)

    monkeypatch.setattr(hdf5.h5py, "File", file)
    return found


def commands(onnxcert: Any) -> list[tuple[int, Any]]:
    """What resuming, report and decide answer, but for the time it took and the date."""
    again = onnxcert(*QUICK, "--json")
    resumed = {**again.json, "seconds": None} if again.status == 0 else again.err
    return [
        (again.status, resumed),
        *((o.status, o.out) for o in (onnxcert("report", "out", "--per-class"),)),
        *((o.status, o.out) for o in (onnxcert("decide", "out", "--alpha", "0.01"),)),
    ]


def test_the_numbers_of_what_is_finished_need_no_record_to_be_opened(
    onnxcert: Any, opened: list[str]
) -> None:
    numbers = summarise(ResultStore("out").records(checked=True), explain=0)
    assert opened == [], "only the explanation of what abstains needs the votes"
    assert onnxcert(*QUICK).status == onnxcert("report", "out").status == 0
    explained = summarise(ResultStore("out").records(checked=True))
    assert replace(explained, abstentions={}) == replace(numbers, abstentions={})
    opened.clear()
    assert onnxcert("verify", "out").status == 0
    assert set(opened) == set(NAMES), "verify believes no index"


def test_with_and_without_an_index_every_answer_is_the_same(
    onnxcert: Any, opened: list[str]
) -> None:
    by_index = commands(onnxcert)
    INDEX.unlink()
    assert onnxcert("report", "out").status == 0
    assert set(opened) == set(NAMES), "as written by an earlier version: every record is read"
    assert not INDEX.exists(), "who only reads writes nothing"
    assert commands(onnxcert) == by_index
    opened.clear()
    summarise(ResultStore("out").records(checked=True), explain=0)
    assert opened == [], "resuming made the index anew"
    with ResultStore("out").open("p1", checked=True) as record, ResultStore("out").group("p1") as g:
        for name in ("hits", "candidate", "labels", "level"):
            group = "tally" if name in ("hits", "candidate") else "certificate"
            owner = record.tally if group == "tally" else record
            array, stored = getattr(owner, name), g[f"{group}/{name}"][...]
            assert (array.shape, array.dtype) == (stored.shape, stored.dtype)
            assert (array[...] == stored).all()


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 0.99])
def test_a_record_of_other_bytes_never_counts_however_old_it_looks(
    onnxcert: Any, place: float
) -> None:
    path = Path("out/inputs/p1.h5")
    before, content = path.stat(), bytearray(path.read_bytes())
    with h5py.File(path, "r") as file:  # a byte that matters
        chunk = file["tally/hits"].id.get_chunk_info(0)
    content[chunk.byte_offset + int(place * chunk.size)] ^= 16
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    for command in (("report", "out"), QUICK, ("decide", "out"), ("diff", "out", "out")):
        outcome = onnxcert(*command)
        assert (outcome.status, outcome.out) == (2, ""), command
        assert "p1" in outcome.err
    assert onnxcert("verify", "out").status == 1


def test_a_record_that_was_only_touched_or_copied_still_counts(
    opened: list[str],
) -> None:
    os.utime("out/inputs/p1.h5", ns=(1, 1))
    summarise(ResultStore("out").records(checked=True), explain=0)
    assert opened == []


def test_a_record_that_is_gone_is_not_finished(onnxcert: Any) -> None:
    Path("out/inputs/p1.h5").unlink()
    assert onnxcert("report", "out", "--json").json["inputs"]["finished"] == 2
    assert onnxcert(*QUICK, "--json").json["seconds"]["forward"] > 0
    assert Path("out/inputs/p1.h5").exists()


# -- whoever edits it ----------------------------------------------------------------------------


def lines() -> list[bytes]:
    return INDEX.read_bytes().splitlines(keepends=True)


def renewed(line: bytes) -> bytes:
    """A line with a digest that fits what it says."""
    said = line.split(b"\t", 1)[1]
    return hashlib.sha256(said).hexdigest().encode() + b"\t" + said


def told(line: bytes, change: Callable[[list[Any]], None]) -> bytes:
    digest, name, values = line.split(b"\t")
    read = json.loads(values)
    change(read)
    return b"\t".join([digest, name, json.dumps(read).encode() + b"\n"])


def fewer_abstain(values: list[Any]) -> None:
    for line in values[-1]:
        if line[0] == "/certificate":
            assert line[1]["abstained"] != "[0]"
            line[1]["abstained"] = "[0]"


def other_matrix(values: list[Any]) -> None:
    for line in values[-1]:
        if line[0] == "/confusions/certified":
            line[4][1][0] += 1


def another_record(values: list[Any]) -> None:
    values[3] = "0" * 64


EDITS = {"a number": fewer_abstain, "a matrix": other_matrix, "the digest": another_record}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_line_changes_no_answer_and_is_found(onnxcert: Any, edit: str) -> None:
    expected = [outcome for outcome in commands(onnxcert) if outcome]
    edited = [told(one, EDITS[edit]) if b'"p1"' in one.split(b"\t")[1] else one for one in lines()]
    INDEX.write_bytes(b"".join(edited))
    outcome = onnxcert("verify", "out")
    assert outcome.status == 1
    assert "p1: its line in index.jsonl has changed since it was written" in outcome.out
    assert onnxcert("report", "out", "--per-class").out == expected[1][1]
    assert commands(onnxcert) == expected


@pytest.mark.parametrize("edit", EDITS)
def test_who_renews_the_digest_of_an_edited_line_is_found_by_verify(
    onnxcert: Any, edit: str
) -> None:
    INDEX.write_bytes(b"".join(renewed(told(one, EDITS[edit])) for one in lines()))
    outcome = onnxcert("verify", "out")
    assert outcome.status == 1
    assert "p0, p1, p2: its line in index.jsonl differs from the record" in outcome.out


def test_the_line_of_one_record_says_nothing_of_another(onnxcert: Any) -> None:
    Path("out/inputs/p1.h5").unlink()
    said = [line for line in lines() if b'"p0"' in line.split(b"\t")[1]]
    INDEX.write_bytes(b"".join([*lines(), *(renewed(s.replace(b'"p0"', b'"p1"')) for s in said)]))
    assert onnxcert("report", "out", "--json").json["inputs"]["finished"] == 2
    shutil.copy("out/inputs/p0.h5", "out/inputs/p1.h5")  # its bytes, under another name
    assert onnxcert(*QUICK).status == 2


def renamed(values: list[Any]) -> None:
    (root,) = (line for line in values[-1] if line[0] == "")
    root[1]["name"] = "../../victim"


@pytest.mark.parametrize("command", [QUICK, ("report", "out"), ("decide", "out", "--alpha", ".01")])
def test_a_name_in_the_index_becomes_no_path(onnxcert: Any, command: tuple[str, ...]) -> None:
    victim = Path("../victim.h5")
    victim.write_text("mine")
    INDEX.write_bytes(b"".join(renewed(told(one, renamed)) for one in lines()))
    outcome = onnxcert(*command)
    assert "is the record of '../../victim'" in outcome.refusal
    assert victim.read_text() == "mine"


# -- whatever else happens to it -----------------------------------------------------------------


def nothing() -> None:
    INDEX.write_bytes(b"")


def half_a_line() -> None:
    INDEX.write_bytes(INDEX.read_bytes()[:-100])


def zeros() -> None:
    content = INDEX.read_bytes()
    INDEX.write_bytes(content[:100] + bytes(len(content) - 100))


def no_text() -> None:
    INDEX.write_bytes(b"\xff\x00\n" * 50 + b"[" * 100_000 + b"\n")


def pipe() -> None:
    INDEX.unlink()
    os.mkfifo(INDEX)


def folder() -> None:
    INDEX.unlink()
    INDEX.mkdir()


def absurd() -> None:
    INDEX.write_bytes(b"".join(renewed(told(one, _absurd)) for one in lines()))


def _absurd(values: list[Any]) -> None:
    values[-1] = [["", {}], ["/tally", {}], ["/tally/hits", {}, "O", [2**62, -1], [[0], [1]]]]


@pytest.mark.parametrize("harm", [nothing, half_a_line, zeros, no_text, pipe, folder, absurd])
def test_an_index_that_is_none_costs_no_more_than_time(
    onnxcert: Any, harm: Callable[[], None]
) -> None:
    expected = commands(onnxcert)
    harm()
    assert commands(onnxcert) == expected


def test_what_a_killed_run_wrote_of_a_line_does_not_spoil_the_next(
    onnxcert: Any, opened: list[str]
) -> None:
    whole = INDEX.read_bytes()
    INDEX.write_bytes(whole[: whole.rindex(b'"p2"') + 200])
    assert onnxcert("verify", "out").status == 0, "no edit, and so no finding"
    assert onnxcert(*QUICK).status == 0
    opened.clear()
    summarise(ResultStore("out").records(checked=True), explain=0)
    assert opened == []
    assert INDEX.read_bytes() == whole


def test_a_copy_made_of_hard_links_does_not_change(onnxcert: Any, opened: list[str]) -> None:
    os.link(INDEX, "kept.jsonl")
    before = INDEX.read_bytes()
    Path("out/inputs/p1.h5").unlink()
    assert onnxcert(*QUICK).status == 0
    assert Path("kept.jsonl").read_bytes() == before
    opened.clear()
    summarise(ResultStore("out").records(checked=True), explain=0)
    assert opened == []


def test_a_run_adds_to_the_index_and_rewrites_it_only_where_it_is_untidy(onnxcert: Any) -> None:
    first, inode = INDEX.read_bytes(), INDEX.stat().st_ino
    write_picture(Path("pictures/p3.png"), seed=9)
    shutil.copy("labels/p0.png", "labels/p3.png")
    assert onnxcert(*QUICK).status == 0
    assert INDEX.stat().st_ino == inode
    assert INDEX.read_bytes().startswith(first)
    assert len(lines()) == 4
    Path("out/inputs/p3.h5").unlink()
    assert onnxcert(*QUICK, "--limit", "3").status == 0
    assert INDEX.read_bytes() == first, "the line of a record that is gone goes, too"
