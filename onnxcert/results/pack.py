"""Packed results: a whole run in one portable file.

Layout (version 1)::

    /                 onnxcert-pack         attribute: run, the content of run.json
    /inputs           onnxcert-records
    /inputs/NAME      onnxcert-record       an unchanged copy, see `onnxcert.results.encoding`
    /summary          onnxcert-table        one array per column
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import h5py

from onnxcert.errors import StoreError, refuse_machine_failure
from onnxcert.files.atomic import write_atomically
from onnxcert.results.encoding import expect, mark, read_table, write_table
from onnxcert.results.hdf5 import (
    Attributes,
    get_group,
    get_group_unchecked,
    open_hdf5,
    put,
    write_hdf5,
)
from onnxcert.results.reader import Results
from onnxcert.results.run_file import read_run
from onnxcert.results.store import ResultStore


@final
class Pack(Results):
    """The results in one packed file."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    @property
    def path(self) -> Path:
        return self._path

    def names(self) -> list[str]:
        with self._file() as file:
            return self._check_names(
                expect(get_group_unchecked(file, "inputs"), "onnxcert-records")
            )

    def run(self) -> dict[str, Any]:
        with self._file() as file:
            return read_run(str(Attributes(file)["run"]), self._path)

    def summary(self) -> dict[str, dict[str, Any]]:
        with self._file("summary") as file:
            return read_table(get_group(file, "summary"))

    @contextmanager
    def group(self, name: str) -> Iterator[h5py.Group]:
        with self._file(name) as file:
            try:
                group = get_group(file, "inputs", name)
            except KeyError:
                raise StoreError(f"{self._path} has no result {name}.") from None
            yield group

    @contextmanager
    def _file(self, what: str = "") -> Iterator[h5py.File]:
        with open_hdf5(self._path, what, whole=False) as file:
            expect(file, "onnxcert-pack")
            yield file


def open_results(path: str | Path) -> Results:
    """Return the results in the folder or packed file `path`.

    Raises:
        StoreError: `path` does not exist or cannot be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return ResultStore(path)
        if path.exists():
            return Pack(path)
    except OSError as error:
        refuse_machine_failure(path, error)
    raise StoreError(
        f"there are no results in {path}, which does not exist; give a folder that onnxcert "
        "certify wrote, or a file that onnxcert pack wrote."
    )


def pack(results: Results, path: Path) -> int:
    """Write every finished input of `results` into the new file `path`; return their number.

    Raises:
        StoreError: there is nothing to pack, a record has changed or belongs to another run, or
            `path` exists or cannot be written.
    """
    if path.exists():
        raise StoreError(f"{path} exists already; remove it, or choose another file.")
    if not path.parent.is_dir():
        raise StoreError(f"the folder {path.parent} of {path.name} does not exist; create it.")
    run = results.run()
    names = results.names()
    if run is None or not names:
        missing = "no run.json" if run is None else "no finished input"
        raise StoreError(f"{results.path} holds {missing}; give the folder of one run.")
    rows = []
    for name in names:
        # Check before anything is written: HDF5 copies damaged chunks without an error.
        with results.open(name, checked=True) as record:
            results.refuse_foreign(record, run)
            rows.append(record.summary())

    def fill(file: h5py.File) -> None:
        put(mark(file, "onnxcert-pack"), "run", json.dumps(run))
        inputs = mark(file.create_group("inputs"), "onnxcert-records")
        for name in names:
            with results.group(name) as group:
                inputs.copy(group, inputs, name=name)
        write_table(file.create_group("summary"), rows)

    write_atomically(path, lambda p: write_hdf5(p, fill))
    return len(names)
