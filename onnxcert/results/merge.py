"""Merge the parts of one run into one folder, as if one process had made them.

All draws of an input are counted in one part, so records are only checked and copied.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxcert.data.listing import Shard
from onnxcert.data.paths import is_safe_name
from onnxcert.errors import AccessError, StoreError
from onnxcert.files.atomic import sync_together, write_atomically
from onnxcert.files.inside import inside, make_parents_inside
from onnxcert.results.counts import read_count
from onnxcert.results.fingerprint import fingerprint
from onnxcert.results.hdf5 import Attributes, open_hdf5
from onnxcert.results.record import Record
from onnxcert.results.run_file import describe_difference
from onnxcert.results.store import ResultStore, find_derived_files
from onnxcert.sampling import ONE_DRAW

# The groups with votes and everything derived from them; not the provenance.
_CONTENT: Final = ("tally", "certificate", "predictions", "confusions")
# Attributes about how draws shared forward passes, which changes no vote.
_DESCRIPTIONS: Final = frozenset({"leak_check", "statement"})


@dataclass(frozen=True)
class MergeResult:
    """The content of a merged folder.

    Attributes:
        names: the finished inputs.
        listed: number of inputs that the run is about.
        missing: inputs that no part has finished or skipped.
        skipped: inputs that could not be used -> reason.
        lacking: shard -> number of its missing inputs, if the parts are shards.
    """

    names: tuple[str, ...]
    listed: int
    missing: tuple[str, ...]
    skipped: Mapping[str, str]
    missing_by_shard: Mapping[str, int]


def merge(out: Path, folders: Sequence[Path]) -> MergeResult:
    """Merge the parts of one run into the folder `out`.

    `out` may already hold results of the same run, which count as one more part; so a merge that
    was stopped, or came too early, can be repeated. Nothing is written before all is checked.

    Raises:
        StoreError: the folders are not parts of one run, a record has changed since it was written,
            an input has two results, or `out` cannot be written.
    """
    target = ResultStore(out)
    parts = [ResultStore(folder) for folder in dict.fromkeys(folders)]
    if target.run() is not None and out.resolve() not in [part.folder.resolve() for part in parts]:
        parts.insert(0, target)
    runs = [_read_run(part) for part in parts]
    for part, run in zip(parts[1:], runs[1:], strict=True):
        _check_same_run(parts[0], runs[0], part, run)
    listed, shards = _read_listed(parts, runs)
    selected: dict[str, ResultStore] = {}
    for part, run in zip(parts, runs, strict=True):
        for name in part.names():
            with part.open(name, checked=True) as record:
                part.refuse_foreign(record, run)
            selected[name] = (
                _select_further(name, selected[name], part) if name in selected else part
            )
    leaky = next((part for part in parts if part.leaky), None)
    if leaky is not None:
        _refuse_batched(selected, leaky)
    listed |= set(selected)
    skipped = {
        name: reason
        for run in runs
        for name, reason in run.get("skipped", {}).items()
        if name not in selected
    }
    with target.exclusive():
        target.begin(runs[0]["parameters"], seed=runs[0]["seed"], random_seed=runs[0]["seed"])
        target.note_inputs(listed, skipped)
        if leaky is not None:
            target.note_leak()
        for name, part in sorted(selected.items()):
            _copy(name, part, target)
        for name, part in _find_checkpoints(parts):
            if name not in selected or part is selected[name]:
                _copy_file(part.folder, target.folder, Path("partial", f"{name}.h5"))
        target.derive()
    missing = tuple(sorted(listed - set(selected) - set(skipped)))
    missing_by_shard: Counter[str] = Counter()
    for number in range(1, min(shards, len(listed)) + 1):  # a shard beyond these is empty
        shard = Shard(number, shards)
        missing_by_shard[str(shard)] = len(set(shard.names(sorted(listed))) & set(missing))
    return MergeResult(tuple(sorted(selected)), len(listed), missing, skipped, +missing_by_shard)


# -- checks: are they parts of one run? ----------------------------------------------------


def _read_run(part: ResultStore) -> dict[str, Any]:
    run = part.run()
    if run is None:
        raise StoreError(
            f"there are no results in {part.folder}; give folders that onnxcert certify wrote."
        )
    return run


def _check_same_run(
    first: ResultStore, first_run: Mapping[str, Any], part: ResultStore, run: Mapping[str, Any]
) -> None:
    """Raise StoreError unless both parts have the same parameters and seed."""
    before, after = ({**one["parameters"], "seed": one["seed"]} for one in (first_run, run))
    found = describe_difference(before, after, f"{part.folder} with {{}}")
    if found:
        raise StoreError(
            f"only parts of one run can be merged, but {first.folder} was made with {found}; leave "
            "out folders of other runs."
        )


def _read_listed(
    parts: Sequence[ResultStore], runs: Sequence[Mapping[str, Any]]
) -> tuple[set[str], int]:
    """Return all inputs that the run is about, and the number of shards (0 if not stored).

    Raises:
        StoreError: two shards list different inputs, so both may have left one out.
    """
    every: set[str] = set()
    shares: dict[int, tuple[ResultStore, set[str]]] = {}
    for part, run in zip(parts, runs, strict=True):
        names = set(run.get("listed", ()))
        every |= names
        count = run.get("shards")
        if not isinstance(count, int) or count < 1:
            continue
        before, known = shares.setdefault(count, (part, names))
        if known != names:
            raise StoreError(
                f"{before.folder} and {part.folder} are shards of different lists of inputs, such "
                f"as {min(known ^ names)}; run both over the same inputs."
            )
    return every, next(iter(shares)) if len(shares) == 1 else 0


def _select_further(name: str, one: ResultStore, other: ResultStore) -> ResultStore:
    """Return the part with the more complete result of an input that both parts have.

    Raises:
        StoreError: the parts have different results for the input.
    """
    with one.group(name) as a, other.group(name) as b:
        votes, other_votes = (
            [fingerprint(g[group], without=_DESCRIPTIONS) for group in _CONTENT] for g in (a, b)
        )
        same = votes == other_votes
        alone = Attributes(b["tally"]).get("leak_check") == ONE_DRAW
    if same:
        return other if alone else one
    with one.open(name) as first, other.open(name) as second:
        before, after = sorted((first, second), key=lambda record: len(record.tally.looks))
        if before.tally.ended == "interrupted" and _continues(before, after):
            return one if after is first else other
    raise StoreError(
        f"{name} has different results in {one.folder} and {other.folder}; leave one of them out."
    )


def _continues(before: Record, after: Record) -> bool:
    """Return whether `after` continues the count of `before`."""
    a, b = before.tally, after.tally
    if a.path is None or b.path is None or _identify(before) != _identify(after):
        return False
    taken = len(a.looks)
    return (
        b.looks[:taken] == a.looks
        and np.array_equal(b.candidate[...], a.candidate[...])
        and np.array_equal(b.single[...], a.single[...])
        and np.array_equal(b.path[:taken], a.path[...])
    )


def _identify(record: Record) -> tuple[object, ...]:
    """Return what identifies a count: draws, settings, input and labels."""
    known = record.provenance.input
    labels = (known.get("label_sha256"), known.get("category"))
    return record.tally.draws, record.tally.n0, record.tally.selection, record.tally.classes, labels


def _refuse_batched(selected: Mapping[str, ResultStore], leaky: ResultStore) -> None:
    """Raise StoreError if draws of any input were counted in batches.

    Args:
        selected: name of each input -> the part that its record is taken from.
        leaky: the part whose batch-invariance check failed.
    """
    batched: dict[Path, list[str]] = {}
    for name, part in sorted(selected.items()):
        with part.open(name, checked=True) as record:
            if record.batched:
                batched.setdefault(part.folder, []).append(name)
    if batched:
        folders = "; ".join(f"{', '.join(names)} in {where}" for where, names in batched.items())
        raise StoreError(
            f"{leaky.folder} found that the prediction for one draw depends on the other draws of "
            f"its batch, but these inputs were counted in batches: {folders}; certify those shards "
            "again with --batch-size 1 and another --out, and merge the new folders."
        )


# -- copying ---------------------------------------------------------------------------------


def _copy(name: str, part: ResultStore, target: ResultStore) -> None:
    """Copy the files of one input; the record comes last, because it marks the input as done."""
    if part is target:
        return
    with sync_together():
        for path in find_derived_files(part.folder, name):
            _copy_file(part.folder, target.folder, path.relative_to(part.folder))
        _copy_file(part.folder, target.folder, Path("inputs", f"{name}.h5"))
    with target.open(name, checked=True) as record:
        if record.tally.ended != "interrupted":
            target.remove_checkpoint(name)


def _copy_file(source: Path, target: Path, below: Path) -> None:
    if source.resolve() == target.resolve():
        return
    copied, path = inside(source, *below.parts), make_parents_inside(target, below)
    write_atomically(path, lambda temporary: shutil.copyfile(copied, temporary))


def _find_checkpoints(parts: Sequence[ResultStore]) -> Iterator[tuple[str, ResultStore]]:
    """Yield each input with a checkpoint, and the part whose checkpoint has the most draws."""
    best: dict[str, tuple[int, ResultStore]] = {}
    for part in parts:
        for path in sorted((part.folder / "partial").glob("[!.]*.h5")):
            if not is_safe_name(path.stem):
                continue
            try:
                with open_hdf5(path) as file:
                    done = read_count(file)[0].done
            except AccessError:
                raise
            except StoreError:
                continue  # damaged: the input is counted again
            if done > best.get(path.stem, (0, part))[0]:
                best[path.stem] = (done, part)
    for name, (_, part) in best.items():
        yield name, part
