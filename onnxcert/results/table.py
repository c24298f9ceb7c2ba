"""The summary table: a few numbers for each finished input, and links to all records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from onnxcert.files.atomic import write_atomically
from onnxcert.results import encoding
from onnxcert.results.attributes import put
from onnxcert.results.hdf5 import get_array, write_hdf5


def write_table(group: h5py.Group, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the same keys into an empty group, one array per column."""
    encoding.mark(group, "onnxcert-table")
    for column in rows[0] if rows else ():
        values = [row[column] for row in rows]
        if isinstance(values[0], str):
            values = [value.encode() for value in values]
            kind = h5py.string_dtype("utf-8", max(map(len, values)) or 1)
            group.create_dataset(column, data=np.array(values, dtype=kind), dtype=kind)
        else:
            group.create_dataset(column, data=np.array(values))


def read_table(group: h5py.Group) -> dict[str, dict[str, Any]]:
    """Return name -> row of a table that has a column `name`, or no columns."""
    encoding.expect(group, "onnxcert-table")
    columns = {column: get_array(group, column) for column in group}
    if any(len(array.shape) != 1 for array in columns.values()):
        raise ValueError("a column of the table is not one-dimensional")
    plain = {
        column: (array.asstr()[...] if h5py.check_string_dtype(array.dtype) else array[...])
        for column, array in columns.items()
    }
    rows = [
        {
            column: value.item() if isinstance(value, np.generic) else value
            for column, value in zip(plain, values, strict=True)
        }
        for values in zip(*plain.values(), strict=True)
    ]
    return {row["name"]: row for row in rows}


def write_results(
    path: Path, run: Mapping[str, Any] | None, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write `results.h5`: the run, a link to the record of every row, and the rows."""

    def fill(file: h5py.File) -> None:
        encoding.mark(file, "onnxcert-results")
        put(file, "run", json.dumps(run))
        links = file.create_group("inputs")
        encoding.mark(links, "onnxcert-links")
        for row in rows:
            links[row["name"]] = h5py.ExternalLink(f"inputs/{row['name']}.h5", "/")
        write_table(file.create_group("summary"), rows)

    write_atomically(path, lambda p: write_hdf5(p, fill))
