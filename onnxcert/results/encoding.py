"""Encoding of records and tables as HDF5 groups, each with its type and version.

Layout of a record::

    /                 onnxcert-record       attributes: name, sha256 (`fingerprint`)
    /tally            onnxcert-tally        candidate, hits, single [, path] [, runner_up]
    /certificate      onnxcert-certificate  labels, level, levels, radii, certified, correct
    /predictions      onnxcert-predictions  clean [, nonrobust]
    /confusions       onnxcert-confusions   clean, noisy, certified [, nonrobust] [, further tau]
    /provenance       onnxcert-provenance   attributes, JSON

Scalars are attributes of the group that they describe.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from onnxcert.errors import StoreError
from onnxcert.files.atomic import write_atomically
from onnxcert.perturbation import PERTURBATIONS
from onnxcert.results import checks
from onnxcert.results.fingerprint import ATTRIBUTE, Line, Outline, Row, fingerprint
from onnxcert.results.hdf5 import Attributes, get_array, put, write_hdf5
from onnxcert.results.record import Array, Decision, Record
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Tally

TYPE: Final = "encoding-type"
VERSION: Final = "encoding-version"
VERSIONS: Final = {
    "onnxcert-record": 1,
    "onnxcert-tally": 2,
    "onnxcert-certificate": 2,
    "onnxcert-predictions": 1,
    "onnxcert-confusions": 1,
    "onnxcert-provenance": 1,
    "onnxcert-count": 2,
    "onnxcert-results": 1,
    "onnxcert-links": 1,
    "onnxcert-pack": 1,
    "onnxcert-records": 1,
    "onnxcert-table": 1,
}

# How each attribute of a tally is read; those of _JSON are written as JSON, and records of earlier
# versions lack those of _LATER.
_TALLY: Final[Mapping[str, Callable[[Mapping[str, Any], str], Any]]] = {
    "n": checks.read_int,
    "n0": checks.read_int,
    "selection": checks.read_string,
    "classes": checks.read_int,
    "nonfinite": checks.read_int,
    "law_error": checks.read_float,
    "unit": checks.read_string,
    "kind": checks.read_string,
    "ended": checks.read_string,
    "leak_check": checks.read_string,
    "looks": checks.read_ints,
    "joint": checks.read_int_or_none,
}
_JSON: Final = ("looks", "joint")
_LATER: Final = ("law_error", "leak_check")
_VOTES: Final = ("candidate", "hits", "single", "path", "runner_up")
_CERTIFICATE: Final = ("labels", "level", "levels", "radii")
_CURVE: Final = ("certified", "correct")
_PREDICTIONS: Final = ("clean", "nonrobust")
_OPTIONAL: Final = ("path", "runner_up", "nonrobust")


def mark(group: h5py.Group, kind: str) -> h5py.Group:
    """Write the type `kind` and its version into `group`, and return `group`."""
    put(group, TYPE, kind)
    put(group, VERSION, VERSIONS[kind])
    return group


def expect(group: Any, kind: str) -> Any:
    """Return `group` if it has the type `kind` in a supported version.

    Raises:
        StoreError: the group has another type or version.
    """
    attributes = Attributes(group)
    found = attributes.get(TYPE)
    if found != kind:
        raise StoreError(f"{group.file.filename} holds {found!r}, but {kind!r} was expected.")
    version = attributes.get(VERSION)
    if version != VERSIONS[kind]:
        raise StoreError(
            f"{group.file.filename} holds {kind} of version {version}, this onnxcert reads "
            f"{VERSIONS[kind]}; use the version of onnxcert that wrote it."
        )
    return group


def write_record(file: h5py.Group, record: Record) -> Row:
    """Write `record` into an empty file and return its row of the index."""
    put(mark(file, "onnxcert-record"), "name", record.name)
    tally = mark(file.create_group("tally"), "onnxcert-tally")
    write_arrays(tally, {name: getattr(record.tally, name) for name in _VOTES})
    for name in _TALLY:
        value = getattr(record.tally, name)
        put(tally, name, json.dumps(value) if name in _JSON else value)
    write_draws(tally, record.tally.draws)

    certificate = mark(file.create_group("certificate"), "onnxcert-certificate")
    write_arrays(certificate, {name: getattr(record, name) for name in _CERTIFICATE})
    write_arrays(certificate, {name: getattr(record.curve, name) for name in _CURVE})
    put(certificate, "labelled", record.curve.labelled)
    for field in fields(Decision):
        value = getattr(record.decision, field.name)
        put(certificate, field.name, json.dumps(value.as_dict() if field.name == "rule" else value))

    predictions = mark(file.create_group("predictions"), "onnxcert-predictions")
    write_arrays(predictions, {name: getattr(record, name) for name in _PREDICTIONS})
    confusions = mark(file.create_group("confusions"), "onnxcert-confusions")
    write_arrays(confusions, record.confusions)
    provenance = mark(file.create_group("provenance"), "onnxcert-provenance")
    for name, value in asdict(record.provenance).items():
        put(provenance, name, json.dumps(value))
    outline: list[Line] = []
    digest = fingerprint(file, outline=outline)
    put(file, ATTRIBUTE, digest)
    return Row(digest, outline)


def read_record(file: h5py.Group | Outline) -> Record:
    """Return the record in `file`; its arrays stay in the file."""
    expect(file, "onnxcert-record")
    tally, certificate, predictions, confusions, provenance = (
        expect(file[part], f"onnxcert-{part}")
        for part in ("tally", "certificate", "predictions", "confusions", "provenance")
    )
    votes = _read_tally(tally)
    decision = checks.read_decision(Attributes(certificate))
    arrays = _get_arrays(certificate, _CERTIFICATE)
    return Record(
        name=checks.read_string(Attributes(file), "name"),
        tally=votes,
        decision=decision,
        **arrays,
        curve=checks.build_curve(
            arrays["radii"][...],
            get_array(certificate, "certified")[...],
            get_array(certificate, "correct")[...],
            decision.components,
            checks.read_int(Attributes(certificate), "labelled"),
        ),
        **_get_arrays(predictions, _PREDICTIONS),
        provenance=checks.read_provenance(Attributes(provenance)),
        confusions={
            row: checks.check_confusion(row, get_array(confusions, row), votes.classes)
            for row in confusions
        },
    )


def _read_tally(group: h5py.Group | Outline) -> Tally:
    attributes = Attributes(group)
    return Tally.in_file(
        **_get_arrays(group, _VOTES),
        **{
            name: read(attributes, name)
            for name, read in _TALLY.items()
            if name not in _LATER or name in attributes
        },
        draws=read_draws(group),
    )


def _get_arrays(group: h5py.Group | Outline, names: Iterable[str]) -> dict[str, Any]:
    """Return the arrays of a group by name, still in the file; None for missing optional ones."""
    return {
        name: None if name in _OPTIONAL and name not in group else get_array(group, name)
        for name in names
    }


def write_draws(group: h5py.Group, draws: Draws) -> None:
    """Write `draws` as attributes of `group`."""
    put(group, "seed", draws.seed)
    put(group, "digest", draws.digest)
    put(group, "generator", draws.generator)
    put(group, "perturbation", draws.perturbation.name)
    put(group, "perturbation-parameters", json.dumps(draws.perturbation.parameters()))


def read_draws(group: h5py.Group | Outline) -> Draws:
    """Return the draws in the attributes of `group`.

    Raises:
        StoreError: the perturbation is unknown.
    """
    attributes = Attributes(group)
    name = attributes["perturbation"]
    if name not in PERTURBATIONS:
        raise StoreError(
            f"{group.file.filename} has the unknown perturbation {name!r}, this onnxcert reads "
            f"{', '.join(PERTURBATIONS)}; use the version of onnxcert that wrote it."
        )
    parameters = json.loads(attributes["perturbation-parameters"])
    return Draws(
        perturbation=PERTURBATIONS[name](**parameters),
        seed=int(attributes["seed"]),
        digest=attributes["digest"],
        generator=attributes["generator"],
    )


def write_arrays(group: h5py.Group, arrays: Mapping[str, Array | None]) -> None:
    """Write the arrays that are not None, compressed."""
    for name, values in arrays.items():
        if values is not None:
            data = np.asarray(values[...])
            packed = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
            group.create_dataset(name, data=data, **(packed if data.ndim else {}))


def write_table(group: h5py.Group, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the same keys into an empty group, one array per column."""
    mark(group, "onnxcert-table")
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
    expect(group, "onnxcert-table")
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
        mark(file, "onnxcert-results")
        put(file, "run", json.dumps(run))
        links = file.create_group("inputs")
        mark(links, "onnxcert-links")
        for row in rows:
            links[row["name"]] = h5py.ExternalLink(f"inputs/{row['name']}.h5", "/")
        write_table(file.create_group("summary"), rows)

    write_atomically(path, lambda p: write_hdf5(p, fill))
