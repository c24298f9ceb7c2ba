"""How a store, shard or pack is edited: names, links of every kind, swapped and foreign records."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import mutation
import numpy as np
from mutation import Rng, pick

from onnxcert.results.fingerprint import fingerprint
from onnxcert.results.hdf5 import put

# What an edit raises when an earlier one of the same store left nothing to edit.
CANNOT = (OSError, KeyError, ValueError, RuntimeError, TypeError, IndexError, RecursionError)

Edit = Callable[[Rng, Path, Path], None]


def names(outside: Path) -> list[str]:
    """What a record, or its file, might be called by somebody who means harm."""
    victim = str(outside / "victim")
    return [
        *(victim, "../victim", "../../victim", "../../../victim", "../" * 30 + victim[1:]),
        *("labels/../../victim", "..", ".", "", "/", "a/b", "0", "1/", "x" * 300, "x" * 5000),
        *("a\nb", "\x1b[31mred", "1\0", "\0", "é\u202e", " 1", "1.", "C:\\victim", "\\\\host\\x"),
        *("~/victim", "$HOME/victim", "*", "-rf", "1.h5", "1.npy", "victim", "\udcff"),
    ]


def targets(outside: Path, own: Path) -> list[Path]:
    """Where a link might lead."""
    files = ("secret.txt", "secret.bin", "secret.h5", "run.json", "pipe", "victim.npy", "1.png")
    return [*(outside / n for n in files), outside, outside / "inner", outside / "new", own]


def a_record(rng: Rng, store: Path) -> Path:
    return Path(pick(rng, sorted((store / "inputs").glob("*.h5"))))


def in_a_record(edit: Callable[[Rng, h5py.Group, Path], None]) -> Edit:
    """The edit of a record, in a folder or in a pack; mostly with a digest that fits again."""

    def edited(rng: Rng, where: Path, outside: Path) -> None:
        path = where if where.suffix == ".h5" else a_record(rng, where)
        with h5py.File(path, "r+") as file:
            record = file[f"inputs/{pick(rng, list(file['inputs']))}"] if path == where else file
            edit(rng, record, outside)
            if rng.random() < 0.85:
                with contextlib.suppress(*CANNOT):
                    put(record, "sha256", fingerprint(record))

    edited.__name__ = edit.__name__
    return edited


def called(rng: Rng, record: h5py.Group, outside: Path) -> None:
    """The record, and maybe its input, has another name."""
    name = pick(rng, names(outside))
    put(record, "name", name)
    if rng.random() < 0.5:
        said = json.loads(record["provenance"].attrs["input"])
        put(record["provenance"], "input", json.dumps({**said, "name": name}))


def classes_called(rng: Rng, record: h5py.Group, outside: Path) -> None:
    """Names of classes, which name the pictures of multi-label records."""
    said = json.loads(record["provenance"].attrs["contract"])
    put(
        record["provenance"],
        "contract",
        json.dumps({**said, "class_names": [pick(rng, names(outside)) for _ in range(3)]}),
    )


def linked(rng: Rng, record: h5py.Group, outside: Path) -> None:
    """A part of it lies elsewhere: in another file, or at another place of this one."""
    found: list[str] = []
    record.visit(found.append)
    name = pick(rng, found)
    goal = pick(rng, [record.name, f"{record.name}/{pick(rng, found)}".replace("//", "/")])
    match int(rng.integers(6)):
        case 0:
            del record[name]
            record[name] = h5py.SoftLink(goal)
        case 1:
            del record[name]
            inner = pick(rng, ("/", f"/{name}"))
            record[name] = h5py.ExternalLink(str(pick(rng, targets(outside, outside))), inner)
        case 2:  # also of itself, so that there is no end of it
            kept = record.file[goal]
            del record[name]
            record[name] = kept
        case 3:
            record[f"{name}/more" if isinstance(record[name], h5py.Group) else "more"] = record
        case 4:
            record[pick(rng, ("more", "tally/more"))] = h5py.SoftLink(pick(rng, names(outside)))
        case 5:
            record["more"] = h5py.ExternalLink(str(outside / "pipe"), "/")


def stored_elsewhere(rng: Rng, record: h5py.Group, outside: Path) -> None:
    """The values of an array lie in another file, or are for a plugin to unpack."""
    found: list[str] = []
    record.visititems(lambda n, node: found.append(n) if isinstance(node, h5py.Dataset) else None)
    name = pick(rng, found)
    shape, dtype = record[name].shape, record[name].dtype
    del record[name]
    match int(rng.integers(4)):
        case 0 | 1:
            raw = str(outside / pick(rng, ("secret.bin", "secret.bin", "pipe", "new")))
            size = int(np.prod(shape)) * dtype.itemsize
            record.create_dataset(name, shape, dtype, external=[(raw, 0, size)])
        case 2:
            layout = h5py.VirtualLayout(shape, dtype)
            source = outside / pick(rng, ("secret.h5", "pipe"))
            layout[...] = h5py.VirtualSource(source, name, shape, dtype)
            record.create_virtual_dataset(name, layout)
        case _:
            made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            made.set_chunk(shape or (1,))
            made.set_filter(32004 + int(rng.integers(20)), h5py.h5z.FLAG_OPTIONAL)
            space = h5py.h5s.create_simple(shape or (1,))
            kind = h5py.h5t.py_create(dtype)
            array = h5py.h5d.create(record.id, name.encode(), kind, space, made)
            array.write_direct_chunk((0,) * len(shape or (1,)), b"\1" * 40)


def other_values(rng: Rng, where: Path, _outside: Path) -> None:
    mutation.damaged_hdf5(rng, where if where.suffix == ".h5" else a_record(rng, where))


def other_bytes(rng: Rng, where: Path, _outside: Path) -> None:
    files = ("inputs/*.h5", "run.json", "results.h5", "labels/*", "curve.csv")
    path = where if where.is_file() else pick(rng, sorted(where.glob(pick(rng, files))))
    data = path.read_bytes()
    cut = data[: int(rng.integers(len(data)))]
    path.write_bytes(cut if rng.random() < 0.3 else mutation.damaged_bytes(rng, data))


def linked_file(rng: Rng, store: Path, outside: Path) -> None:
    """A file or folder of the store is a symlink, or something else of the kind."""
    there = [p for p in store.rglob("*") if p.name != ".lock"]
    own = (
        "run.json",
        "results.h5",
        ".lock",
        "inputs",
        "partial",
        "labels",
        "pictures",
        "curve.png",
    )
    own += ("labels/.1.npy.tmp", "labels/1", "pictures/1.png", "partial/1.h5", "inputs/new.h5")
    path = pick(rng, there) if rng.random() < 0.4 else store / pick(rng, own)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    if rng.random() < 0.1:
        if rng.random() < 0.5:
            path.mkdir()
        else:
            path.write_bytes(b"")
        return
    goal = pick(rng, targets(outside, store))
    path.symlink_to(os.path.relpath(goal, path.parent) if rng.random() < 0.5 else goal)


def renamed(rng: Rng, store: Path, outside: Path) -> None:
    """The file of a record has another name, maybe the one that the record then has as well."""
    name = pick(rng, [n for n in names(outside) if "/" not in n and "\0" not in n])
    path = a_record(rng, store)
    path = path.rename(path.with_name(f"{name}.h5"))
    if rng.random() < 0.5:
        with h5py.File(path, "r+") as file:
            put(file, "name", name)
            put(file, "sha256", fingerprint(file))


def swapped(rng: Rng, store: Path, _outside: Path) -> None:
    """Two records in each other's place, or one in both."""
    one, other = a_record(rng, store), a_record(rng, store)
    kept = one.read_bytes()
    if rng.random() < 0.5:
        one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def foreign(rng: Rng, store: Path, outside: Path) -> None:
    """A record, or run.json, of another run."""
    other = outside.parent / "base" / "other"
    name = pick(rng, ("run.json", "results.h5", "inputs/1.h5", "inputs/2.h5"))
    shutil.copy(other / name, store / name)


def told_otherwise(rng: Rng, store: Path, outside: Path) -> None:
    """run.json says something else; also that batches leak, so that records are removed."""
    path = store / "run.json"
    run = json.loads(path.read_text())
    match int(rng.integers(4)):
        case 0:
            text = mutation.damaged_json(rng, run)
        case 1:
            text = json.dumps({**run, "one_draw_per_pass": True})
        case 2:
            text = json.dumps({**run, "listed": names(outside)})
        case _:
            text = json.dumps({**run, "skipped": dict.fromkeys(names(outside), "no reason")})
    path.write_text(text)


def other_members(rng: Rng, pack: Path, outside: Path) -> None:
    """A record of a pack has another key, that of another one, or two of them; or is a link."""
    with h5py.File(pack, "r+") as file:
        inputs = file["inputs"]
        one, other = (pick(rng, list(inputs)) for _ in range(2))
        match int(rng.integers(6)):
            case 0:
                name = pick(rng, [n for n in names(outside) if n.strip("/.") and "\0" not in n])
                inputs.move(one, name)
                if rng.random() < 0.5:
                    put(inputs[name], "name", name)
                    put(inputs[name], "sha256", fingerprint(inputs[name]))
            case 1 if one != other:
                inputs.move(one, "kept")
                inputs.move(other, one)
                inputs.move("kept", other)
            case 2:
                inputs["again"] = inputs[one]
            case 3:
                inputs["more"] = pick(
                    rng,
                    [
                        h5py.SoftLink("/"),
                        h5py.SoftLink(f"/inputs/{one}"),
                        h5py.ExternalLink(str(outside / "secret.h5"), "/"),
                        h5py.ExternalLink(str(outside / "pipe"), "/"),
                    ],
                )
            case 4:
                name = pick(rng, ("summary", "inputs"))
                del file[name]
                file[name] = h5py.ExternalLink(str(outside / pick(rng, ("secret.h5", "pipe"))), "/")
            case _:
                run = json.loads(file.attrs["run"])
                put(file, "run", json.dumps({**run, "listed": names(outside), "skipped": {}}))


IN_A_RECORD = tuple(map(in_a_record, (called, called, classes_called, linked, stored_elsewhere)))
EDITS: tuple[Edit, ...] = (
    *IN_A_RECORD,
    *(other_values, other_bytes, linked_file, linked_file, linked_file),
    *(renamed, swapped, foreign, told_otherwise),
)
EDITS_OF_PACKS: tuple[Edit, ...] = (*IN_A_RECORD, other_values, other_bytes, other_members)
