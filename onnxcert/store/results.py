"""Finished inputs to read, wherever they lie: in a folder or in one packed file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import h5py

from onnxcert.errors import StoreError
from onnxcert.store.attributes import Attributes
from onnxcert.store.encoding import read_record
from onnxcert.store.fingerprint import ATTRIBUTE, fingerprint
from onnxcert.store.hdf5 import array_in
from onnxcert.store.outline import Line, Outline, Row, outline_of
from onnxcert.store.record import Record


class Results(ABC):
    """The results of one run, to read."""

    @property
    @abstractmethod
    def path(self) -> Path:
        """The folder or file."""

    @abstractmethod
    def names(self) -> list[str]:
        """Names of the finished inputs, sorted."""

    @abstractmethod
    def run(self) -> dict[str, Any] | None:
        """What was asked of the run, or None if nobody says.

        Raises:
            StoreError: onnxcert did not write it.
        """

    @abstractmethod
    def summary(self) -> dict[str, dict[str, Any]] | None:
        """Name -> row of the summary table (`Record.summary`), or None if there is no table.

        Raises:
            StoreError: it cannot be read.
        """

    @abstractmethod
    def group(self, name: str) -> AbstractContextManager[h5py.Group]:
        """The HDF5 group of a finished input.

        Raises:
            StoreError: there is none, or what is read while it is open is damaged.
        """

    def __contains__(self, name: str) -> bool:
        return name in self.names()

    @contextmanager
    def open(self, name: str, *, checked: bool = False) -> Iterator[Record]:
        """The record of a finished input with its arrays still in the file (`h5py.Dataset`).

        Args:
            checked: refuse what is not what was written. Large arrays are then `Array`s that are
                read when they are asked for, and what a folder's index holds is taken from there.
        """
        if not checked:
            with self.group(name) as group:
                yield read_record(group)
            return
        with self.examine(name) as (found, row, stored):
            if stored != row.digest:
                raise StoreError(
                    f"the record {name} in {self.path} is not what was written; onnxcert verify "
                    f"{self.path} says more, and onnxcert certify makes a deleted record again."
                )
            yield read_record(found)

    @contextmanager
    def examine(self, name: str) -> Iterator[tuple[Outline, Row, str | None]]:
        """What a finished input holds now, read once and yet to be understood, its digest, and the
        digest that it carries of itself, if any."""
        with self.group(name) as group:
            stored = Attributes(group).get(ATTRIBUTE)
            lines: list[Line] = []
            row = Row(fingerprint(group, outline=lines), lines)

            def read(where: str) -> Any:
                return array_in(group, where[1:])[...]

            found = outline_of(lines, str(group.file.filename), read)
            yield found, row, None if stored is None else str(stored)

    def read(self, name: str) -> Record:
        """The record of a finished input, in memory.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        with self.group(name) as group:
            return read_record(group).in_memory()

    def records(
        self, names: Iterable[str] | None = None, *, checked: bool = False
    ) -> Iterator[Record]:
        """The finished inputs, all or those of `names`; each open only while it is looked at.

        Args:
            checked: refuse what is not what was written.
        """
        for name in self.names() if names is None else names:
            with self.open(name, checked=checked) as record:
                yield record

    def fingerprints(self, name: str) -> tuple[str | None, str]:
        """The digest that a record carries of itself, if any, and that of what is in it now."""
        with self.group(name) as group:
            stored = Attributes(group).get(ATTRIBUTE)
            return None if stored is None else str(stored), fingerprint(group)
