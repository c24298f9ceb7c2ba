"""Edited stores, shards and packs beside files that nobody may touch, and every command on them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import canary
import graphs
import zoo
from edits import CANNOT, EDITS, EDITS_OF_PACKS
from mutation import Rng, pick
from zoo import Dialect

from onnxcert.cli import run_command_line

Arguments = list[str]
COUNT = ["--sigma", "0.1", "--n", "45", "--n0", "4", "--range", "0,1", "--device", "cpu"]
COUNT += ["--threads", "1", "--batch-size", "8"]
SEEDED = [*COUNT, "--seed", "1"]
MANY = ["--output-form", "multilabel"]


# -- what is edited --------------------------------------------------------------------------------


@cache
def base(folder: Path) -> Path:
    """A run of three pictures, its two shards, one of another seed, a multi-label one; a pack."""
    where = folder / "base"
    shutil.rmtree(where, ignore_errors=True)
    (where / "shots").mkdir(parents=True)
    for i in range(3):
        zoo.write_picture(where / "shots" / f"{i}.png", zoo.picture(8, 6, seed=i))
    conv = zoo.Conv3.random(3, seed=58)
    graphs.save(Dialect().proto(conv), where / "model.onnx")
    graphs.save(Dialect(form="multilabel").proto(conv), where / "many.onnx")
    for name, flags in (
        ("whole", SEEDED),
        ("part1", [*SEEDED, "--shard", "1/2"]),
        ("part2", [*SEEDED, "--shard", "2/2"]),
        ("other", [*COUNT, "--seed", "2"]),
        ("many", [*SEEDED, *MANY]),
    ):
        assert run_command_line([*certify(where, name, flags), "--out", str(where / name)]) == 0
    assert run_command_line(["pack", str(where / "whole"), str(where / "pack.h5")]) == 0
    return where


def certify(where: Path, name: str, flags: Arguments, *, pictures: bool = False) -> Arguments:
    """The command that makes, or goes on with, the run `name`."""
    model = where / ("many.onnx" if name == "many" else "model.onnx")
    shots = where / "shots" / "1.png" if name == "many" else where / "shots"
    return ["certify", str(model), str(shots), *flags, *([] if pictures else ["--no-pictures"])]


FLAGS = {"whole": SEEDED, "part1": [*SEEDED, "--shard", "1/2"], "many": [*SEEDED, *MANY]}


def store(rng: Rng, folder: Path) -> Iterator[Arguments]:
    """An edited store, shard or pack; then every command that reads one, each of them watched."""
    where = base(folder)
    work, outside, inner = folder / "work", folder / "outside", folder / "work" / "place"
    shutil.rmtree(work, ignore_errors=True)
    inner.mkdir(parents=True)
    (folder / "tmp").mkdir(exist_ok=True)
    tempfile.tempdir = str(folder / "tmp")
    os.chdir(where)
    record = where / "whole" / "inputs" / "1.h5"
    canary.plant(outside, record, where / "whole" / "run.json")
    for place in (work, inner):
        for suffix in canary.SUFFIXES:
            shutil.copy(outside / "secret.h5", place / f"victim{suffix}")

    name = pick(rng, ("whole", "whole", "whole", "part1", "part1", "many", "pack", "pack"))
    edited = inner / ("edited.h5" if name == "pack" else "edited")
    if name == "pack":
        shutil.copy(where / "pack.h5", edited)
    else:
        shutil.copytree(where / name, edited)
    for _ in range(int(rng.integers(1, 3))):
        with contextlib.suppress(*CANNOT):
            if name == "pack":
                pick(rng, EDITS_OF_PACKS)(rng, edited, outside)
            else:
                pick(rng, EDITS)(rng, edited, outside)
    os.mkfifo(outside / "pipe")  # last, as whoever opens it waits for ever
    clean = not canary.copies(edited)  # else an edit went through the link that another one made

    for arguments, written in commands(rng, where, name, edited, inner):
        before = canary.seen(folder, but=written)
        yield arguments
        canary.refuse_changes(before, canary.seen(folder, but=written))
        if clean and (copied := canary.copies(*written)):
            raise canary.Outside(f"copied in from outside: {copied[0].name}")


def commands(
    rng: Rng, where: Path, name: str, edited: Path, place: Path
) -> Iterator[tuple[Arguments, tuple[Path, ...]]]:
    """Each command that meets the edited store, and what it may write."""
    given = str(edited)
    rest = str(where / {"part1": "part2", "many": "many"}.get(name, "whole"))
    decided, merged, packed = (place / n for n in ("decided", "merged", "packed.h5"))
    yield ["report", given, "--per-class"], ()
    yield ["verify", given], ()
    yield pick(rng, (["diff", given, rest], ["diff", rest, given])), ()
    yield ["decide", given, "--alpha", "0.01", "--out", str(decided)], (decided,)
    yield ["merge", str(merged), given, rest], (merged,)
    yield ["pack", given, str(packed)], (packed,)
    if name == "pack":
        return
    copied = place / "copied"
    shutil.copytree(edited, copied, symlinks=True)
    yield ["merge", str(copied), rest], (copied,)
    again = certify(where, name, FLAGS[name], pictures=rng.random() < 0.1)
    yield [*again, "--out", given], (edited,)
