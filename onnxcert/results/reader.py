"""Read access to finished inputs, in a folder or in one packed file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from onnxcert.data.paths import is_safe_name
from onnxcert.errors import StoreError
from onnxcert.results.checks import check_sizes
from onnxcert.results.encoding import read_record
from onnxcert.results.fingerprint import ATTRIBUTE, Line, Outline, Row, build_outline, fingerprint
from onnxcert.results.frame import make_frame
from onnxcert.results.hdf5 import Attributes, get_array
from onnxcert.results.record import Record

if TYPE_CHECKING:
    from pandas import DataFrame


class Results(ABC):
    """The results of one run, read-only."""

    @property
    @abstractmethod
    def path(self) -> Path:
        """The folder or file."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the finished inputs, sorted.

        Raises:
            StoreError: a name is a link, or not a name that onnxcert gives to inputs.
        """

    @abstractmethod
    def run(self) -> dict[str, Any] | None:
        """Return the content of `run.json`, or None if it is missing.

        Raises:
            StoreError: onnxcert did not write it.
        """

    @abstractmethod
    def summary(self) -> dict[str, dict[str, Any]] | None:
        """Return name -> row of the summary table (`Record.summary`), or None without a table.

        Raises:
            StoreError: the table cannot be read.
        """

    @abstractmethod
    def group(self, name: str) -> AbstractContextManager[h5py.Group]:
        """Open the HDF5 group of a finished input.

        Raises:
            StoreError: there is no such input, or its data is damaged.
        """

    def __contains__(self, name: str) -> bool:
        return name in self.names()

    def __repr__(self) -> str:
        return f"<results in {self.path}>"

    def __len__(self) -> int:
        """Return the number of finished inputs."""
        return len(self.names())

    def __bool__(self) -> bool:
        return True  # also without a finished input

    def __iter__(self) -> Iterator[Record]:
        """Yield the record of each finished input, in memory."""
        return map(self.read, self.names())

    def __getitem__(self, key: str | int) -> Record:
        """Return the record of the input called `key`, or number `key` of `names`, in memory.

        Raises:
            IndexError: there is no such number.
            StoreError: there is no such name, or the record cannot be read.
        """
        if isinstance(key, str) and key not in self:
            near = get_close_matches(key, self.names(), n=1)
            hint = f"did you mean {near[0]}?" if near else "names() lists the finished inputs."
            raise StoreError(f"{self.path} has no result {key}; {hint}")
        return self.read(key if isinstance(key, str) else self.names()[key])

    def to_frame(self) -> DataFrame:
        """Return a pandas data frame with one row for each finished input, by its name.

        Columns: components, certified (share), radius, n, seed, nonfinite (invalid predictions),
        and with ground truth accuracy and miou of the certified labels and clean_accuracy. With
        several tau, the first one counts.

        Raises:
            StoreError: a record has changed since it was written.
        """
        return make_frame(self.records(checked=True))

    @contextmanager
    def open(self, name: str, *, checked: bool = False) -> Iterator[Record]:
        """Open the record of a finished input; its arrays stay in the file (`h5py.Dataset`).

        Args:
            name: name of the input.
            checked: refuse a record that does not match its digest. Large arrays are then read when
                they are needed, and the rest may come from the index of the folder.

        Raises:
            StoreError: there is no such record, it cannot be read, or it belongs to another input.
        """
        if not checked:
            with self.group(name) as group:
                yield self.check_record(name, read_record(group))
            return
        with self.examine(name) as (found, row, stored):
            if stored != row.digest:
                raise StoreError(
                    f"the record {name} in {self.path} has changed since it was written; run "
                    f"onnxcert verify {self.path} for details, or delete the record and run "
                    "onnxcert certify again."
                )
            yield self.check_record(name, read_record(found))

    def check_record(self, name: str, record: Record) -> Record:
        """Return `record` if it states `name` and its arrays have the stated shapes.

        Raises:
            StoreError: the record belongs to another input, or the name is unsafe.
            ValueError: an array has another shape or type.
        """
        refuse_unsafe(name, self.path)
        if record.name != name:
            stated = record.name if is_safe_name(record.name) else ascii(record.name[:80])
            raise StoreError(
                f"{name} in {self.path} is the record of {stated}; keep only records that onnxcert "
                "wrote, under their original names."
            )
        check_sizes(record)
        return record

    @contextmanager
    def examine(self, name: str) -> Iterator[tuple[Outline, Row, str | None]]:
        """Yield outline, row and stored digest of a record, read once and not yet checked.

        The row has the digest of the present content. The stored digest is None if it is missing.
        """
        with self.group(name) as group:
            stored = Attributes(group).get(ATTRIBUTE)
            lines: list[Line] = []
            row = Row(fingerprint(group, outline=lines), lines)

            def read(where: str) -> Any:
                return get_array(group, where[1:])[...]

            found = build_outline(lines, str(group.file.filename), read)
            yield found, row, None if stored is None else str(stored)

    def read(self, name: str) -> Record:
        """Return the record of a finished input, in memory.

        Raises:
            StoreError: there is no such record, or it cannot be read.
        """
        with self.open(name) as record:
            return record.to_memory()

    def records(
        self, names: Iterable[str] | None = None, *, checked: bool = False
    ) -> Iterator[Record]:
        """Yield the records of finished inputs; each is open only during its iteration.

        Args:
            names: names of the inputs; None for all.
            checked: refuse a record that does not match its digest.
        """
        for name in self.names() if names is None else names:
            with self.open(name, checked=checked) as record:
                yield record

    def refuse_foreign(self, record: Record, run: Mapping[str, Any]) -> None:
        """Raise StoreError unless `record` was made by `run`, the content of `run.json`."""
        if record.provenance.parameters != {**run["parameters"], "seed": run["seed"]}:
            raise StoreError(
                f"the record {record.name} in {self.path} was not made by the run that run.json "
                "describes; delete it and certify the input again."
            )

    def _check_names(self, names: Iterable[str]) -> list[str]:
        """Return `names` sorted; refuse unsafe names, because they become file names."""
        named = sorted(names)
        for name in named:
            refuse_unsafe(name, self.path)
        return named


def refuse_unsafe(name: str, where: Path) -> None:
    """Raise StoreError if `name` is not a name that onnxcert gives to inputs."""
    if not is_safe_name(name):
        raise StoreError(
            f"{name[:80]!a} in {where} is not a name that onnxcert gives to inputs; remove its "
            "record, or certify the input again."
        )
