"""The result store: one HDF5 file per input, and what is derived from them.

    DIR/
      run.json          what was asked, and the seed; written before anything is drawn
      inputs/NAME.h5    one finished input: tally, certificate, predictions, provenance
      partial/NAME.h5   the count of an input that takes long, to go on from
      results.h5        derived: external links to every input, and a summary table

A file under its final name is complete: it was written under another name, synchronised to disk
and renamed. Nothing else marks an input as done, and everything can be derived from `inputs/`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, final

import h5py

from onnxcert.atomic import LEFT_OVER, remove, together, write_atomically
from onnxcert.errors import StoreError
from onnxcert.inside import inside, refuse_links
from onnxcert.sampling import Count
from onnxcert.store import encoding
from onnxcert.store.asked import (
    LEAKY,
    RUN_TYPE,
    RUN_VERSION,
    differences,
    read_run_file,
    refuse_earlier,
)
from onnxcert.store.attributes import put
from onnxcert.store.batched import in_batches, made_from
from onnxcert.store.encoding import read_count, write_count, write_record
from onnxcert.store.hdf5 import reading, write_hdf5
from onnxcert.store.links import part_of
from onnxcert.store.lock import locked
from onnxcert.store.record import Record
from onnxcert.store.results import Results, refuse_unsafe


@final
class ResultStore(Results):
    """The results in one folder.

    >>> import tempfile
    >>> ResultStore(tempfile.mkdtemp()).names()
    []
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._begun = False
        self._rows: dict[str, dict[str, Any]] = {}  # of the summary table, of records met here

    @property
    def path(self) -> Path:
        return self.folder

    # -- reading ---------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Names of the finished inputs, sorted; a StoreError where the folder has links in it."""
        refuse_links(self.folder)
        return self._named(path.stem for path in (self.folder / "inputs").glob("[!.]*.h5"))

    def __contains__(self, name: str) -> bool:
        return self._record_path(name).is_file()

    @contextmanager
    def group(self, name: str) -> Iterator[h5py.Group]:
        with reading(self._record_path(name)) as file:
            yield file

    @contextmanager
    def open(self, name: str) -> Iterator[Record]:
        with super().open(name) as record:
            self._rows[name] = record.summary()
            yield record

    def summary(self) -> dict[str, dict[str, Any]] | None:
        path = inside(self.folder, "results.h5")
        if not path.exists():
            return None
        with reading(path, whole=False) as file:  # the rest of it are links to every input
            return encoding.read_table(part_of(file, "summary"))

    def run(self) -> dict[str, Any] | None:
        return read_run_file(inside(self.folder, "run.json"))

    # -- writing ---------------------------------------------------------------------------

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the folder; a second run in it is refused while the first one lives.

        Raises:
            StoreError: the folder cannot be made or written, or another run holds it.
        """
        refuse_links(self.folder)
        try:
            # In this order, as another run may begin here at this moment.
            foreign = self._others() and self.run() is None and not self.names()
        except OSError:
            foreign = False
        if foreign:
            raise StoreError(
                f"{self.folder} holds other files than results; choose an empty or new folder with "
                "--out."
            )
        with ExitStack() as stack:
            try:
                for sub in ("", "inputs", "partial"):
                    (self.folder / sub).mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.folder))
                for left_over in self._left_over():
                    remove(left_over)
            except OSError as error:
                raise StoreError(
                    f"results cannot be written to {self.folder} ({error.strerror}); choose "
                    "another folder with --out."
                ) from None
            self._rows = {}  # until now somebody else may have written
            yield

    def _others(self) -> bool:
        """Whether there is anything but the empty folders of a run that was killed at once."""
        own = [path for path in (self.folder / "inputs", self.folder / "partial") if path.is_dir()]
        here = set(self.folder.glob("[!.]*"))
        return bool(here - set(own)) or any(any(path.glob("[!.]*")) for path in own)

    def _left_over(self) -> Iterator[Path]:
        """What a killed run was writing."""
        for sub in ("", "inputs", "partial"):
            yield from (self.folder / sub).glob(LEFT_OVER)
        for sub in ("labels", "pictures"):  # with a folder for each input of several labels
            yield from (self.folder / sub).rglob(LEFT_OVER)

    def begin(self, asked: Mapping[str, Any], *, seed: int | None, fresh_seed: int) -> int:
        """Start the run in this folder or go on with it; returns the seed to use.

        Args:
            asked: every parameter that a result depends on, as JSON values.
            seed: as given by the user; None takes the stored one, or `fresh_seed`.

        Raises:
            StoreError: the folder holds a run with other parameters (the difference is named), or
                files that are not onnxcert's.
        """
        stored, leaky = self.run(), False
        if stored is not None and not self.begun:
            # No votes were kept, and all is open. Some may have been seen, though: other parameters
            # must not meet the same draws.
            if stored["parameters"] == json.loads(json.dumps(dict(asked))):
                fresh_seed = stored["seed"]
            leaky = self.leaky and stored["parameters"].get("model") == asked["model"]
            stored = None
        if stored is None:
            if self.names():
                raise StoreError(
                    f"{self.folder} holds results but no run.json; choose another folder."
                )
            seed = fresh_seed if seed is None else seed
            run = {
                encoding.TYPE: RUN_TYPE,
                encoding.VERSION: RUN_VERSION,
                "seed": seed,
                "parameters": dict(asked),
                **({LEAKY: True} if leaky else {}),
            }
            self._write_run(run)
            return seed
        before = {**stored["parameters"], "seed": stored["seed"]}
        after = {**json.loads(json.dumps(dict(asked))), "seed": before["seed"]}
        if seed is not None:
            after["seed"] = seed
        refuse_earlier(before, self.folder)
        changed = differences(before, after, "now {} was asked")
        if changed:
            raise StoreError(
                f"{self.folder} holds a run with {changed}; choose another folder with "
                "--out, or ask for the same."
            )
        return int(before["seed"])

    @property
    def begun(self) -> bool:
        """Whether any votes are, or were, kept here; looked up until they are."""
        self._begun = self._begun or any(
            any((self.folder / sub).glob("[!.]*.h5")) for sub in ("inputs", "partial")
        )
        return self._begun

    def note(
        self, listed: Iterable[str], skipped: Mapping[str, str], *, shards: int | None = None
    ) -> None:
        """Note which inputs were to be certified, why some could not be, and in how many shards,
        of which this folder holds one; None leaves that as it is."""
        run = self.run()
        if run is None:
            return
        said = run.get("listed")
        before = said if isinstance(said, list) else ()
        known = {name for name in before if isinstance(name, str)} | set(listed)
        run |= {"listed": sorted(known), "skipped": dict(skipped)}
        if shards is not None:
            run["shards"] = shards
        self._write_run(run)

    @property
    def leaky(self) -> bool:
        """Whether this run found that batch mates change the model's answers."""
        return (self.run() or {}).get(LEAKY) is True

    def note_leak(self) -> None:
        """Note that, and remove the records of draws in batches and what was made from them."""
        self._write_run({**(self.run() or {}), LEAKY: True})
        for name in [record.name for record in self.records() if in_batches(record)]:
            for path in (self._record_path(name), *made_from(self.folder, name)):
                remove(path)
            self._rows.pop(name)
        self.derive()

    def _write_run(self, run: Mapping[str, Any]) -> None:
        content = f"{json.dumps(run, indent=2)}\n".encode()
        write_atomically(inside(self.folder, "run.json"), lambda p: p.write_bytes(content))

    def write(self, record: Record, *, beside: Callable[[], None] = lambda: None) -> None:
        """Keep a finished input; it is either completely there or not at all.

        `beside` writes the files made from it, which are put on disk in the same step. What was
        interrupted after a look is finished as far as it goes, and its count is kept, so that the
        same run can go on.
        """
        refuse_unsafe(record.name, self.folder)
        path = self._record_path(record.name)
        with together():
            beside()
            write_atomically(path, lambda p: write_hdf5(p, lambda f: write_record(f, record)))
        self._rows[record.name] = record.summary()
        if record.ended != "interrupted":
            self.forget(record.name)

    def forget(self, name: str) -> None:
        """Remove the count of a finished input, if one is left of it."""
        remove(self._partial_path(name))

    def kept(self, name: str) -> bool:
        """Whether a count of this input is kept."""
        return self._partial_path(name).is_file()

    def checkpoint(self, name: str, count: Count, runtime: Mapping[str, str]) -> None:
        """Keep a count under way; `runtime` is what the model's answers may depend on."""
        path = self._partial_path(name)
        write_atomically(path, lambda p: write_hdf5(p, lambda f: write_count(f, count, runtime)))

    def resume(self, fresh: Count, name: str, runtime: Mapping[str, str]) -> Count:
        """The kept count of `name` if it is one of the same draws on the same runtime, or `fresh`;
        on the backend of `fresh`.

        Counts made by another generator or runtime are not mixed: the input starts again.
        """
        with suppress(StoreError), reading(self._partial_path(name)) as file:
            count, made_by = read_count(file)
            if count.asked == fresh.asked and made_by == dict(runtime):
                return count.on(fresh.backend)
        return fresh

    def derive(self) -> None:
        """Write `results.h5` anew from the finished inputs; those met before are not read again."""
        names = self.names()
        for _ in self.records(name for name in names if name not in self._rows):
            pass  # opened, and its row noted
        records = [self._rows[name] for name in names]

        def fill(file: h5py.File) -> None:
            encoding.mark(file, "onnxcert-results")
            put(file, "run", json.dumps(self.run()))
            links = file.create_group("inputs")
            encoding.mark(links, "onnxcert-links")
            for row in records:
                links[row["name"]] = h5py.ExternalLink(f"inputs/{row['name']}.h5", "/")
            encoding.write_table(file.create_group("summary"), records)

        write_atomically(inside(self.folder, "results.h5"), lambda p: write_hdf5(p, fill))

    def _record_path(self, name: str) -> Path:
        return inside(self.folder, "inputs", f"{name}.h5")

    def _partial_path(self, name: str) -> Path:
        return inside(self.folder, "partial", f"{name}.h5")
