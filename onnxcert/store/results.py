"""Finished inputs to read, wherever they lie: in a folder or in one packed file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import h5py

from onnxcert.store.attributes import Attributes
from onnxcert.store.encoding import read_record
from onnxcert.store.fingerprint import ATTRIBUTE, fingerprint
from onnxcert.store.record import Record
from onnxcert.store.sizes import check_sizes


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
    def open(self, name: str) -> Iterator[Record]:
        """The record of a finished input with its arrays still in the file (`h5py.Dataset`)."""
        with self.group(name) as group:
            record = read_record(group)
            check_sizes(record)
            yield record

    def read(self, name: str) -> Record:
        """The record of a finished input, in memory.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        with self.open(name) as record:
            return record.in_memory()

    def records(self, names: Iterable[str] | None = None) -> Iterator[Record]:
        """The finished inputs, all or those of `names`; each open only while it is looked at."""
        for name in self.names() if names is None else names:
            with self.open(name) as record:
                yield record

    def fingerprints(self, name: str) -> tuple[str | None, str]:
        """The digest that a record carries of itself, if any, and that of what is in it now."""
        with self.group(name) as group:
            stored = Attributes(group).get(ATTRIBUTE)
            return None if stored is None else str(stored), fingerprint(group)
