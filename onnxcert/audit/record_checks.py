"""Checks of a record against its own votes, `run.json` and its label files."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxcert._version import __version__
from onnxcert.errors import refuse_machine_failure
from onnxcert.report.export.files import label_files
from onnxcert.results import Decision, Record

# Texts that are too long for a finding.
_LONG: Final = ("statement", "notes")
# The largest label file that is read: bytes per label, plus a constant number of bytes.
_BYTES_PER_LABEL: Final = 8
_EXTRA: Final = 2**20


def find_contradictions(record: Record, name: str, run: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what in `record` contradicts its votes, itself or `run`.

    Args:
        record: the record.
        name: name under which it is stored.
        run: content of `run.json`, or None if it cannot be read.

    Raises:
        ParameterError: the record has an invalid rule, e.g. alpha is not a probability.
    """
    if record.name != name:
        yield f"this is the record of {record.name}"
    yield from _compare_certificate(record)
    yield from _compare_provenance(record)
    if run is not None:
        yield from _compare_parameters(record, run)


def _compare_certificate(record: Record) -> Iterator[str]:
    """Compare the stored certificate with one computed again from the votes."""
    certificate = record.certificate()
    labels = np.asarray(record.labels[...])
    if labels.shape != certificate.labels.shape:
        yield f"labels have the shape {labels.shape}, the votes {certificate.labels.shape}"
    elif changed := int(np.count_nonzero(labels != certificate.labels)):
        yield f"{changed} of {labels.size} labels do not follow from the votes"
    level = np.asarray(record.level[...])
    if level.shape != certificate.level.shape:
        yield f"levels have the shape {level.shape}, the votes {certificate.level.shape}"
    elif changed := int(np.count_nonzero(level != certificate.level)):
        yield f"{changed} of {level.size} levels do not follow from the votes"
    for name, expected in (("levels", certificate.levels), ("radii", certificate.level_radii)):
        stored = np.asarray(getattr(record, name)[...])
        if stored.shape != expected.shape or not np.allclose(stored, expected, rtol=1e-9, atol=0.0):
            yield f"{name} do not follow from the rule"
    certified = [int(np.count_nonzero(certificate.level > j)) for j in range(len(expected))]
    if record.curve.certified.tolist() != certified:
        yield "the curve does not follow from the votes"
    decision = Decision.of(certificate)
    for field in fields(Decision):
        stored, computed = getattr(record.decision, field.name), getattr(decision, field.name)
        if _is_equal(stored, computed):
            continue
        if field.name == "statement" and stored == certificate.statement(before=True):
            continue
        if field.name in _LONG:
            yield f"{field.name} does not follow from votes and settings{_describe_version(record)}"
        else:
            yield f"{field.name} is {stored}, but votes and settings give {computed}"


def _compare_provenance(record: Record) -> Iterator[str]:
    """Compare facts that a record states twice."""
    provenance, law_error, draws = record.provenance, record.tally.law_error, record.tally.draws
    if (law_error > 0.0) == bool(draws.law_note):
        yield f"law error {law_error:g} does not fit the generator {draws.generator}"
    if provenance.input.get("sha256") != draws.digest:
        yield "the votes were drawn for another input than the one in the provenance"
    if provenance.input.get("name") != record.name:
        yield f"the provenance belongs to the input {provenance.input.get('name')}"
    if provenance.model.get("sha256") != provenance.parameters.get("model"):
        yield "the provenance names two different models"


def _compare_parameters(record: Record, run: Mapping[str, Any]) -> Iterator[str]:
    """Compare the parameters in `run.json` with those in the record."""
    requested = {**run["parameters"], "seed": run["seed"]}
    draws = record.tally.draws
    settings = record.settings(record.decision.rule).as_dict()
    in_certificate = {**settings, "generator": draws.generator, "seed": draws.seed}
    in_provenance = record.provenance.parameters
    for key in sorted({*requested, *in_provenance, *in_certificate}):
        for source, values in (("certificate", in_certificate), ("provenance", in_provenance)):
            if source == "certificate" and key not in in_certificate:
                continue  # e.g. the contract, which is no part of the rule
            if key not in requested or key not in values or requested[key] != values[key]:
                yield (
                    f"{key} is {_format(values, key)} in the {source}, but run.json has "
                    + _format(requested, key)
                )


def _describe_version(record: Record) -> str:
    """Return a note if another version made the record, since its texts may differ."""
    packages = record.provenance.environment.get("packages", {})
    made_by = packages.get("onnxcert", "an unnamed version")
    return "" if made_by == __version__ else f" (made by onnxcert {made_by}, this is {__version__})"


def _is_equal(stored: Any, expected: Any) -> bool:
    """Return whether two values are equal, floats up to the rounding of other math libraries."""
    if isinstance(stored, float) and isinstance(expected, float):
        return math.isclose(stored, expected, rel_tol=1e-9)
    if isinstance(stored, tuple) and isinstance(expected, tuple) and len(stored) == len(expected):
        return all(_is_equal(a, b) for a, b in zip(stored, expected, strict=True))
    return bool(stored == expected)


def _format(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], default=str) if key in values else "missing"


def compare_label_files(folder: Path, record: Record) -> Iterator[str]:
    """Compare the files `labels/NAME.*` with those that `record` would give now.

    Raises:
        AccessError: the operating system cannot read a file.
    """
    names = record.provenance.contract.get("class_names", ())
    limit = _BYTES_PER_LABEL * math.prod(record.labels.shape) + _EXTRA
    for relative, expected_bytes in label_files(record, names):
        path, name = folder / relative, relative.as_posix()
        try:
            if not path.is_file():
                yield f"{name} is missing"
                continue
            if path.stat().st_size > limit:
                yield f"{name} is damaged"
                continue
            found = path.read_bytes()
        except (OSError, MemoryError) as error:
            refuse_machine_failure(path, error)
            yield f"{name} is damaged"
            continue
        if found != expected_bytes:
            yield from _describe_difference(path, found, expected_bytes, name)


def _describe_difference(
    path: Path, found: bytes, expected_bytes: bytes, name: str
) -> Iterator[str]:
    """Describe how two label files differ; yield nothing if only their compression does."""
    try:
        labels, colours = _decode(found, path.suffix)
    except Exception as error:  # decoders raise many types on invalid bytes
        refuse_machine_failure(path, error)
        yield f"{name} is damaged"
        return
    expected, expected_colours = _decode(expected_bytes, path.suffix)
    if labels.shape != expected.shape or labels.dtype != expected.dtype:
        yield f"{name} holds {labels.dtype} of shape {labels.shape}, not the certified labels"
    elif changed := int(np.count_nonzero(labels != expected)):
        yield f"{changed} of {labels.size} labels in {name} are not the certified ones"
    elif not np.array_equal(colours, expected_colours):
        yield f"{name} has other class colours"


def _decode(content: bytes, suffix: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the stored labels and their colours."""
    if suffix == ".npy":
        labels = np.load(BytesIO(content), allow_pickle=False)
        return labels, np.empty(0)
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about large images
        with Image.open(BytesIO(content), formats=("PNG",)) as image:
            return np.asarray(image), np.asarray(image.convert("RGB"))
