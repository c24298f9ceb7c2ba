"""The result store: one HDF5 file per input, and what is derived from them.

    DIR/
      run.json          what was asked, and the seed; written before anything is drawn
      inputs/NAME.h5    one finished input: tally, certificate, predictions, provenance
      partial/NAME.h5   the count of an input that takes long, to go on from
      results.h5        derived: external links to every input, and a summary table
      index.jsonl       derived: a copy of what each input says, so that it need not be opened again

A file under its final name is complete: it was written under another name, synchronised to disk
and renamed. Nothing else marks an input as done, and everything can be derived from `inputs/`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, final

import h5py

from onnxcert.atomic import LEFT_OVER, remove, together, write_atomically
from onnxcert.errors import StoreError, refuse_trouble
from onnxcert.inside import inside, refuse_links
from onnxcert.store.asked import LEAKY, new_run, read_run_file, refuse_changed
from onnxcert.store.batched import in_batches, made_from
from onnxcert.store.counts import KeptCounts
from onnxcert.store.encoding import write_record
from onnxcert.store.hdf5 import reading, telling_damage, write_hdf5
from onnxcert.store.index import INDEX, Index
from onnxcert.store.links import part_of
from onnxcert.store.lock import locked
from onnxcert.store.outline import Outline, Row
from onnxcert.store.record import Record
from onnxcert.store.results import Results, refuse_unsafe
from onnxcert.store.table import read_table, write_results


@final
class ResultStore(KeptCounts, Results):
    """The results in one folder.

    >>> import tempfile
    >>> ResultStore(tempfile.mkdtemp()).names()
    []
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._begun = False
        self._rows: dict[str, dict[str, Any]] = {}  # of the summary table, of records met here
        self._index = Index(self.folder / INDEX)
        self._held = False

    @property
    def path(self) -> Path:
        return self.folder

    # -- reading ---------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names of the finished inputs, sorted; StoreError if there are links."""
        refuse_links(self.folder)
        folder = self.folder / "inputs"
        try:
            # `glob` would find nothing, without an error, in a folder that cannot be read.
            found = [path.name for path in folder.iterdir()]
        except OSError as error:
            refuse_trouble(folder, error)
            return []
        return self._named(
            name.removesuffix(".h5")
            for name in found
            if name.endswith(".h5") and not name.startswith(".")
        )

    def __contains__(self, name: str) -> bool:
        return self._record_path(name).is_file()

    @contextmanager
    def group(self, name: str) -> Iterator[h5py.Group]:
        with reading(self._record_path(name)) as file:
            yield file

    @contextmanager
    def open(self, name: str, *, checked: bool = False) -> Iterator[Record]:
        record = self._indexed(name) if checked else None
        if record is not None:
            self._rows[name] = record.summary()
            with telling_damage(self._record_path(name)):
                yield record
            return
        with super().open(name, checked=checked) as record:
            self._rows[name] = record.summary()
            yield record

    def _indexed(self, name: str) -> Record | None:
        """Return the record from its line in the index, or None if no line counts."""
        path = self._record_path(name)
        record = self._index.record(name, path)
        if record is None:
            return None
        with telling_damage(path):
            return self.accept(name, record)

    @contextmanager
    def examine(self, name: str) -> Iterator[tuple[Outline, Row, str | None]]:
        with super().examine(name) as (found, row, stored):
            yield found, row, stored
            if self._held and stored == row.digest:  # and the block did not refuse it
                self._index.add(name, self._record_path(name), row)

    def index_misfit(self, name: str, row: Row) -> str:
        """Return how the index contradicts `row`, made from the record; empty if it fits."""
        return self._index.misfit(name, self._record_path(name), row)

    def summary(self) -> dict[str, dict[str, Any]] | None:
        path = inside(self.folder, "results.h5")
        if not path.exists():
            return None
        with reading(path, whole=False) as file:  # the rest are links to every input
            return read_table(part_of(file, "summary"))

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
        if not self.folder.is_dir():
            self.run()  # which refuses a file in the place of the folder
        try:
            # In this order, because another run may begin here at the same moment.
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
            self._rows = {}  # until now another process may have written
            self._index.reload()
            self._held = True
            stack.callback(setattr, self, "_held", False)
            yield

    def _others(self) -> bool:
        """Return whether there is anything but the empty folders of a run that was killed early."""
        own = [path for path in (self.folder / "inputs", self.folder / "partial") if path.is_dir()]
        here = set(self.folder.glob("[!.]*"))
        return bool(here - set(own)) or any(any(path.glob("[!.]*")) for path in own)

    def _left_over(self) -> Iterator[Path]:
        """Yield temporary files that a killed run left."""
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
            self._write_run(new_run(asked, seed, leaky=leaky))
            return seed
        return refuse_changed(stored, asked, seed, self.folder)

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
        for name in [record.name for record in self.records(checked=True) if in_batches(record)]:
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
        rows: list[Row] = []
        with together():
            beside()
            write_atomically(
                path, lambda p: write_hdf5(p, lambda f: rows.append(write_record(f, record)))
            )
        self._index.add(record.name, path, rows[-1])
        self._rows[record.name] = record.summary()
        if record.ended != "interrupted":
            self.forget(record.name)

    def derive(self) -> None:
        """Write `results.h5` anew from the finished inputs; those met before are not read again."""
        names = self.names()
        for name in names:
            if name in self._rows:
                continue
            record = self._indexed(name)
            if record is not None:
                self._rows[name] = record.summary()
            else:
                with self.open(name):
                    pass  # and its row noted
        write_results(
            inside(self.folder, "results.h5"), self.run(), [self._rows[name] for name in names]
        )
        self._index.tidy(names)

    def _record_path(self, name: str) -> Path:
        return inside(self.folder, "inputs", f"{name}.h5")
