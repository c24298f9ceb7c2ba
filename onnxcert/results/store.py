"""The result store: one HDF5 file per input, and files derived from them.

    DIR/
      run.json          parameters and seed; written before any noise is drawn
      inputs/NAME.h5    one finished input: tally, certificate, predictions, provenance
      partial/NAME.h5   checkpoint of an unfinished input
      results.h5        derived: external links to every input, and a summary table
      index.jsonl       derived: outlines of the records, so that they need not be opened again

A file under its final name is complete: it was written under another name, synchronised to disk
and renamed. Nothing else marks an input as done. All derived files can be rebuilt from `inputs/`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, final

import h5py

from onnxcert.errors import StoreError, refuse_machine_failure
from onnxcert.files.atomic import TEMPORARY_PATTERN, remove, sync_together, write_atomically
from onnxcert.files.inside import inside, refuse_symlinks
from onnxcert.results.counts import Checkpoints
from onnxcert.results.encoding import read_table, write_record, write_results
from onnxcert.results.fingerprint import Outline, Row
from onnxcert.results.hdf5 import get_group, open_hdf5, report_damage, write_hdf5
from onnxcert.results.index import INDEX, Index
from onnxcert.results.lock import hold_lock
from onnxcert.results.reader import Results, refuse_unsafe
from onnxcert.results.record import Record
from onnxcert.results.run_file import LEAKY, check_parameters, new_run, read_run_file


@final
class ResultStore(Checkpoints, Results):
    """The results in one folder.

    >>> import tempfile
    >>> ResultStore(tempfile.mkdtemp()).names()
    []
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._rows: dict[str, dict[str, Any]] = {}  # summaries of the records opened so far
        self._index = Index(self.folder / INDEX)
        self._held = False

    @property
    def path(self) -> Path:
        return self.folder

    def names(self) -> list[str]:
        """Return the sorted names of the finished inputs; raise StoreError if there are links."""
        refuse_symlinks(self.folder)
        folder = self.folder / "inputs"
        try:
            # `glob` finds nothing in an unreadable folder, without an error.
            found = [path.name for path in folder.iterdir()]
        except OSError as error:
            refuse_machine_failure(folder, error)
            return []
        return self._check_names(
            name.removesuffix(".h5")
            for name in found
            if name.endswith(".h5") and not name.startswith(".")
        )

    def __contains__(self, name: str) -> bool:
        return self._record_path(name).is_file()

    @contextmanager
    def group(self, name: str) -> Iterator[h5py.Group]:
        with open_hdf5(self._record_path(name)) as file:
            yield file

    @contextmanager
    def open(self, name: str, *, checked: bool = False) -> Iterator[Record]:
        record = self._indexed(name) if checked else None
        if record is not None:
            self._rows[name] = record.summary()
            with report_damage(self._record_path(name)):
                yield record
            return
        with super().open(name, checked=checked) as record:
            self._rows[name] = record.summary()
            yield record

    def _indexed(self, name: str) -> Record | None:
        """Return the record from the index, or None if the index has no valid line for it."""
        path = self._record_path(name)
        record = self._index.record(name, path)
        if record is None:
            return None
        with report_damage(path):
            return self.check_record(name, record)

    @contextmanager
    def examine(self, name: str) -> Iterator[tuple[Outline, Row, str | None]]:
        with super().examine(name) as (found, row, stored):
            yield found, row, stored
            if self._held and stored == row.digest:  # reached only if the caller raised no error
                self._index.add(name, self._record_path(name), row)

    def check_index(self, name: str, row: Row) -> str:
        """Describe how the index contradicts `row` of the record; empty if it does not."""
        return self._index.find_mismatch(name, self._record_path(name), row)

    def summary(self) -> dict[str, dict[str, Any]] | None:
        path = inside(self.folder, "results.h5")
        if not path.exists():
            return None
        with open_hdf5(path, whole=False) as file:  # the other groups contain links
            return read_table(get_group(file, "summary"))

    def run(self) -> dict[str, Any] | None:
        return read_run_file(inside(self.folder, "run.json"))

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the folder, so that no second run can write to it.

        Raises:
            StoreError: the folder cannot be created or written, or another run holds the lock.
        """
        refuse_symlinks(self.folder)
        if not self.folder.is_dir():
            self.run()  # raises if a file is in the place of the folder
        try:
            # In this order, because another run may start here at the same moment.
            foreign = self._has_foreign_files() and self.run() is None and not self.names()
        except OSError:
            foreign = False
        if foreign:
            raise StoreError(
                f"{self.folder} holds files that are not results; choose an empty or new folder "
                "with --out."
            )
        with ExitStack() as stack:
            try:
                for sub in ("", "inputs", "partial"):
                    (self.folder / sub).mkdir(parents=True, exist_ok=True)
                stack.enter_context(hold_lock(self.folder))
                for temporary in self._temporary_files():
                    remove(temporary)
            except OSError as error:
                raise StoreError(
                    f"results cannot be written to {self.folder} ({error.strerror}); choose "
                    "another folder with --out."
                ) from None
            self._rows = {}  # another process may have written before
            self._index.reload()
            self._held = True
            stack.callback(setattr, self, "_held", False)
            yield

    def _has_foreign_files(self) -> bool:
        """Return whether there is anything except the empty folders of a killed run."""
        own = [path for path in (self.folder / "inputs", self.folder / "partial") if path.is_dir()]
        here = set(self.folder.glob("[!.]*"))
        return bool(here - set(own)) or any(any(path.glob("[!.]*")) for path in own)

    def _temporary_files(self) -> Iterator[Path]:
        for sub in ("", "inputs", "partial"):
            yield from (self.folder / sub).glob(TEMPORARY_PATTERN)
        for sub in ("labels", "pictures"):  # multi-label inputs have a folder each
            yield from (self.folder / sub).rglob(TEMPORARY_PATTERN)

    def begin(self, parameters: Mapping[str, Any], *, seed: int | None, random_seed: int) -> int:
        """Start or resume the run in this folder and return its seed.

        Args:
            parameters: every parameter that a result depends on, as JSON values.
            seed: seed given by the user; None selects the stored seed, or `random_seed`.
            random_seed: seed of a new run.

        Raises:
            StoreError: the folder holds a run with other parameters (the difference is named), or
                records without `run.json`.
        """
        stored, leaky = self.run(), False
        if stored is not None and not self.has_votes:
            # No votes are stored, so the parameters may change. Some votes may have been seen,
            # however, so other parameters must not use the same draws.
            if stored["parameters"] == json.loads(json.dumps(dict(parameters))):
                random_seed = stored["seed"]
            leaky = self.leaky and stored["parameters"].get("model") == parameters["model"]
            stored = None
        if stored is None:
            if self.names():
                raise StoreError(
                    f"{self.folder} holds results but no run.json; choose another folder with "
                    "--out."
                )
            seed = random_seed if seed is None else seed
            self._write_run(new_run(parameters, seed, leaky=leaky))
            return seed
        return check_parameters(stored, parameters, seed, self.folder)

    def note_inputs(
        self, listed: Iterable[str], skipped: Mapping[str, str], *, shards: int | None = None
    ) -> None:
        """Store which inputs the run is about.

        Args:
            listed: names of inputs, added to those stored before.
            skipped: name of each input that could not be used -> reason.
            shards: number of shards of the run, of which this folder holds one; None: unchanged.
        """
        run = self.run()
        if run is None:
            return
        run |= {"listed": sorted({*run.get("listed", ()), *listed}), "skipped": dict(skipped)}
        if shards is not None:
            run["shards"] = shards
        self._write_run(run)

    @property
    def leaky(self) -> bool:
        """Whether the batch-invariance check of this run has failed."""
        return (self.run() or {}).get(LEAKY) is True

    def note_leak(self) -> None:
        """Store that the check failed; remove the records of batched draws and their files."""
        self._write_run({**(self.run() or {}), LEAKY: True})
        for name in [record.name for record in self.records(checked=True) if record.batched]:
            for path in (self._record_path(name), *find_derived_files(self.folder, name)):
                remove(path)
            self._rows.pop(name)
        self.derive()

    def _write_run(self, run: Mapping[str, Any]) -> None:
        content = f"{json.dumps(run, indent=2)}\n".encode()
        write_atomically(inside(self.folder, "run.json"), lambda p: p.write_bytes(content))

    def write(self, record: Record, *, beside: Callable[[], None] = lambda: None) -> None:
        """Write the record of a finished input atomically.

        An input that was interrupted after an interim look gets a record, too; its checkpoint
        stays, so that the same run can resume.

        Args:
            record: the record.
            beside: writes the files derived from the record, in the same atomic step.
        """
        refuse_unsafe(record.name, self.folder)
        path = self._record_path(record.name)
        rows: list[Row] = []
        with sync_together():
            beside()
            write_atomically(
                path, lambda p: write_hdf5(p, lambda f: rows.append(write_record(f, record)))
            )
        self._index.add(record.name, path, rows[-1])
        self._rows[record.name] = record.summary()
        if record.tally.ended != "interrupted":
            self.remove_checkpoint(record.name)

    def derive(self) -> None:
        """Rewrite `results.h5` from the finished inputs; records opened before are not reread."""
        names = self.names()
        for name in names:
            if name in self._rows:
                continue
            record = self._indexed(name)
            if record is not None:
                self._rows[name] = record.summary()
            else:
                with self.open(name):
                    pass  # this stores its row
        write_results(
            inside(self.folder, "results.h5"), self.run(), [self._rows[name] for name in names]
        )
        self._index.tidy(names)

    def _record_path(self, name: str) -> Path:
        return inside(self.folder, "inputs", f"{name}.h5")


def find_derived_files(folder: Path, name: str) -> Iterator[Path]:
    """Yield the label files and figures of the input `name`, also those in a folder `name`."""
    for sub in ("labels", "pictures"):
        sheets = inside(folder, sub, name)
        if sheets.is_dir():
            for sheet in sorted(sheets.iterdir()):
                path = inside(folder, sub, name, sheet.name)
                if path.is_file():
                    yield path
        for suffix in (".npy", ".png", ".ply"):
            path = inside(folder, sub, f"{name}{suffix}")
            if path.is_file():
                yield path
