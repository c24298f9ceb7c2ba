"""Encoding of records and checkpoints as HDF5 groups, each with its type and version.

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
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

import h5py
import numpy as np

from onnxcert.errors import StoreError
from onnxcert.perturbation import PERTURBATIONS
from onnxcert.results import checks
from onnxcert.results.attributes import Attributes, put
from onnxcert.results.fingerprint import ATTRIBUTE, fingerprint
from onnxcert.results.hdf5 import get_array
from onnxcert.results.outline import Line, Outline, Row
from onnxcert.results.record import Array, Decision, Record
from onnxcert.sampling import Count, Hits
from onnxcert.sampling.backend import NUMPY
from onnxcert.sampling.draws import Draws

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

_NUMBERS: Final = ("n", "n0", "selection", "classes", "nonfinite", "law_error")


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
    for name in ("candidate", "hits", "single"):
        _write_array(tally, name, getattr(record, name))
    for name in (*_NUMBERS, "unit", "kind", "ended"):
        put(tally, name, getattr(record, name))
    put(tally, "leak_check", record.leak_check)
    put(tally, "looks", json.dumps(record.looks))
    put(tally, "joint", json.dumps(record.joint))
    for name in ("path", "runner_up"):
        if getattr(record, name) is not None:
            _write_array(tally, name, getattr(record, name))
    _write_draws(tally, record.draws)

    certificate = mark(file.create_group("certificate"), "onnxcert-certificate")
    for name in ("labels", "level", "levels", "radii"):
        _write_array(certificate, name, getattr(record, name))
    for name in ("certified", "correct"):
        _write_array(certificate, name, getattr(record.curve, name))
    put(certificate, "labelled", record.curve.labelled)
    for name, value in encode_decision(record.decision).items():
        put(certificate, name, json.dumps(value))

    predictions = mark(file.create_group("predictions"), "onnxcert-predictions")
    _write_array(predictions, "clean", record.clean)
    if record.nonrobust is not None:
        _write_array(predictions, "nonrobust", record.nonrobust)
    confusions = mark(file.create_group("confusions"), "onnxcert-confusions")
    for row, matrix in record.confusions.items():
        _write_array(confusions, row, matrix)
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
    tally = expect(file["tally"], "onnxcert-tally")
    certificate = expect(file["certificate"], "onnxcert-certificate")
    predictions = expect(file["predictions"], "onnxcert-predictions")
    confusions = expect(file["confusions"], "onnxcert-confusions")
    provenance = expect(file["provenance"], "onnxcert-provenance")
    classes = checks.read_int(Attributes(tally), "classes")
    decision = checks.read_decision(Attributes(certificate))
    return Record(
        name=checks.read_string(Attributes(file), "name"),
        candidate=get_array(tally, "candidate"),
        hits=get_array(tally, "hits"),
        single=get_array(tally, "single"),
        n=checks.read_int(Attributes(tally), "n"),
        n0=checks.read_int(Attributes(tally), "n0"),
        selection=checks.read_string(Attributes(tally), "selection"),  # type: ignore[arg-type]
        classes=classes,
        nonfinite=checks.read_int(Attributes(tally), "nonfinite"),
        draws=_read_draws(tally),
        unit=checks.read_string(Attributes(tally), "unit"),
        kind=checks.read_string(Attributes(tally), "kind"),
        looks=checks.read_ints(Attributes(tally), "looks"),
        path=get_array(tally, "path") if "path" in tally else None,
        ended=checks.read_string(Attributes(tally), "ended"),  # type: ignore[arg-type]
        joint=checks.read_int_or_none(Attributes(tally), "joint"),
        runner_up=get_array(tally, "runner_up") if "runner_up" in tally else None,
        law_error=float(Attributes(tally).get("law_error", 0.0)),
        leak_check=checks.read_string_or_empty(Attributes(tally), "leak_check"),
        labels=get_array(certificate, "labels"),
        level=get_array(certificate, "level"),
        levels=get_array(certificate, "levels"),
        radii=get_array(certificate, "radii"),
        decision=decision,
        curve=checks.build_curve(
            get_array(certificate, "radii")[...],
            get_array(certificate, "certified")[...],
            get_array(certificate, "correct")[...],
            decision.components,
            checks.read_int(Attributes(certificate), "labelled"),
        ),
        clean=get_array(predictions, "clean"),
        nonrobust=get_array(predictions, "nonrobust") if "nonrobust" in predictions else None,
        provenance=checks.read_provenance(Attributes(provenance)),
        confusions={
            row: checks.check_confusion(row, get_array(confusions, row), classes)
            for row in confusions
        },
    )


def write_count(file: h5py.Group, count: Count, runtime: Mapping[str, str]) -> None:
    """Write an unfinished count (a checkpoint) into an empty file."""
    count = count.on(NUMPY)
    mark(file, "onnxcert-count")
    for name in (*_NUMBERS, "done", "second"):
        put(file, name, getattr(count, name))
    put(file, "looks", json.dumps(count.looks))
    put(file, "nonfinite-path", json.dumps(count.nonfinite_path))
    put(file, "runtime", json.dumps(dict(runtime)))
    _write_draws(file, count.draws)
    for name in ("votes", "single", "runner_up"):
        if getattr(count, name) is not None:
            _write_array(file, name, getattr(count, name))
    if count.hits is not None:
        _write_array(file, "candidate", count.hits.candidate)
        _write_array(file, "hits", count.hits.hits)
        put(file, "counted", [[r.start, r.stop] for r in count.hits.counted])
        put(file, "joint", count.hits.joint)
    if count.path:
        _write_array(file, "path", np.stack(count.path))
    put(file, ATTRIBUTE, fingerprint(file))


def read_count(file: h5py.Group) -> tuple[Count, dict[str, str]]:
    """Return the count in `file` and the runtime that made it.

    Raises:
        StoreError: the file has changed since it was written.
    """
    expect(file, "onnxcert-count")
    if Attributes(file).get(ATTRIBUTE) != fingerprint(file):
        raise StoreError(
            f"{file.file.filename} has changed since it was written; the input starts again."
        )
    draws = _read_draws(file)
    hits = None
    if "hits" in file:
        counted = tuple(range(int(a), int(b)) for a, b in Attributes(file)["counted"])
        joint = int(Attributes(file)["joint"])
        hits = Hits(draws, file["candidate"][...], file["hits"][...], counted, joint)
    count = Count(
        draws=draws,
        n=int(Attributes(file)["n"]),
        n0=int(Attributes(file)["n0"]),
        selection=Attributes(file)["selection"],
        classes=int(Attributes(file)["classes"]),
        looks=checks.read_ints(Attributes(file), "looks"),
        second=bool(Attributes(file)["second"]),
        done=int(Attributes(file)["done"]),
        nonfinite=int(Attributes(file)["nonfinite"]),
        votes=file["votes"][...] if "votes" in file else None,
        hits=hits,
        single=file["single"][...] if "single" in file else None,
        path=list(file["path"][...]) if "path" in file else [],
        nonfinite_path=list(checks.read_ints(Attributes(file), "nonfinite-path")),
        runner_up=file["runner_up"][...] if "runner_up" in file else None,
        law_error=float(Attributes(file).get("law_error", 0.0)),
    )
    return count, json.loads(Attributes(file)["runtime"])


def _write_draws(group: h5py.Group, draws: Draws) -> None:
    put(group, "seed", draws.seed)
    put(group, "digest", draws.digest)
    put(group, "generator", draws.generator)
    put(group, "perturbation", draws.perturbation.name)
    put(group, "perturbation-parameters", json.dumps(draws.perturbation.parameters()))


def _read_draws(group: h5py.Group | Outline) -> Draws:
    name = Attributes(group)["perturbation"]
    if name not in PERTURBATIONS:
        raise StoreError(
            f"{group.file.filename} has the unknown perturbation {name!r}, this onnxcert reads "
            f"{', '.join(PERTURBATIONS)}; use the version of onnxcert that wrote it."
        )
    parameters = json.loads(Attributes(group)["perturbation-parameters"])
    return Draws(
        perturbation=PERTURBATIONS[name](**parameters),
        seed=int(Attributes(group)["seed"]),
        digest=Attributes(group)["digest"],
        generator=Attributes(group)["generator"],
    )


def encode_decision(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON values."""
    return {
        field.name: decision.rule.as_dict()
        if field.name == "rule"
        else getattr(decision, field.name)
        for field in fields(Decision)
    }


def _write_array(group: h5py.Group, name: str, values: Array) -> None:
    data = np.asarray(values[...])
    options = {"compression": "gzip", "compression_opts": 4, "shuffle": True} if data.ndim else {}
    group.create_dataset(name, data=data, **options)
