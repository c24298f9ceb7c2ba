"""Checks of the values and array sizes of a record in a file.

A damaged or edited file must cause a clear error where it is read, not a strange one where its
values are used. A few bytes can claim gigabytes of zeros, so sizes are checked before any array is
read. Each function raises ValueError, which the reader turns into a StoreError.
"""

# Written by hand, because cattrs converts what it should refuse (4 from "4", NaN, -1), and msgspec
# decodes a `Rule` by its fields, which are not the stored keys.

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, get_args

import h5py
import numpy as np

from onnxcert.metrics.scores import Curve
from onnxcert.model.runtime.machine import HostMemory
from onnxcert.results.hdf5 import Attributes, get_array
from onnxcert.results.record import Array, Decision, Provenance, Record
from onnxcert.statistics.correction.base import Controls
from onnxcert.statistics.rule import Rule

_ROWS = frozenset({"nonrobust", "clean", "noisy", "certified"})
_SMALL: Final = 2**28  # bytes that every machine has free


def read_string(attributes: Mapping[str, Any], name: str) -> str:
    """Return a string attribute."""
    value = attributes[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, got {type(value).__name__}")
    return value


def read_int(attributes: Mapping[str, Any], name: str) -> int:
    """Return a non-negative integer attribute."""
    value = attributes[name]
    if not isinstance(value, int | np.integer) or int(value) < 0:
        raise ValueError(f"{name} must be a non-negative integer")
    return int(value)


def read_float(attributes: Mapping[str, Any], name: str) -> float:
    """Return a finite number attribute."""
    value = attributes[name]
    if not isinstance(value, int | float | np.integer | np.floating) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number")
    return float(value)


def read_ints(attributes: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """Return non-negative integers from a JSON list."""
    values = json.loads(read_string(attributes, name))
    if not isinstance(values, list):
        raise ValueError(f"{name} must be a list of non-negative integers")
    return tuple(read_int({name: value}, name) for value in values)


def read_int_or_none(attributes: Mapping[str, Any], name: str) -> int | None:
    """Return a non-negative integer or None from JSON."""
    value = json.loads(read_string(attributes, name))
    return None if value is None else read_int({name: value}, name)


def read_decision(attributes: Mapping[str, Any]) -> Decision:
    """Return the decision."""
    values = {f.name: json.loads(read_string(attributes, f.name)) for f in fields(Decision)}
    if not isinstance(values["rule"], dict):
        raise ValueError("the rule of the certificate is missing")
    rule = Rule.from_dict(values["rule"])
    count = len(rule.taus)
    for name in ("thresholds", "abstained", "radius"):
        read = read_float if name == "radius" else read_int
        each = values[name]
        if not isinstance(each, list) or len(each) != count:
            raise ValueError(f"{name} must have a number for each of {count} tau")
        values[name] = tuple(read({name: value}, name) for value in each)
    components = read_int(values, "components")
    if components < 1 or max(values["abstained"]) > components:
        raise ValueError("more components abstain than exist")
    own = values["own_radius"]
    if values["controls"] not in get_args(Controls):
        raise ValueError("the error rate that the correction controls is unknown")
    return Decision(
        rule=rule,
        controls=values["controls"],
        components=components,
        thresholds=values["thresholds"],
        abstained=values["abstained"],
        radius=values["radius"],
        own_radius=None if own is None else read_float(values, "own_radius"),
        statement=read_string(values, "statement"),
        notes=tuple(_check_strings(values["notes"], "notes")),
    )


def build_curve(
    radii: Array, certified: Array, correct: Array, components: int, labelled: int
) -> Curve:
    """Return the curve of certified and correct components against the radius."""
    if len(radii.shape) != 1 or radii.shape != certified.shape or radii.shape != correct.shape:
        raise ValueError("the curve must have two numbers for each radius")
    return Curve(
        np.asarray(radii, np.float64),
        np.asarray(certified, np.int64),
        np.asarray(correct, np.int64),
        components,
        labelled,
    )


def read_provenance(attributes: Mapping[str, Any]) -> Provenance:
    """Return the provenance of the record."""
    values = {f.name: json.loads(read_string(attributes, f.name)) for f in fields(Provenance)}
    for name, value in values.items():
        if not isinstance(value, str if name == "date" else dict):
            raise ValueError(f"{name} has the wrong type {type(value).__name__}")
    for name in ("model", "input"):
        _check_strings(list(values[name].values()), name)
    _check_strings(values["contract"].get("class_names", []), "class names")
    _check_strings(values["environment"].get("warnings", []), "warnings")
    return Provenance(**values)


def check_confusion(row: str, matrix: Array, classes: int) -> Array:
    """Return `matrix` if it is a valid confusion matrix of the table row `row`."""
    shaped = matrix.shape == (classes, classes + 1)
    known = row in _ROWS or row.startswith("certified tau=")
    if not known or not shaped or not np.issubdtype(matrix.dtype, np.integer):
        raise ValueError(f"{row} is not a confusion matrix of {classes} classes")
    return matrix


def _check_strings(values: Any, name: str) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name} must be strings")
    return values


def most_values(record: h5py.Group) -> int | None:
    """Return the largest allowed size of an array of a record; None if it is not a record.

    Raises:
        KeyError, TypeError, ValueError: the record does not state its sizes.
    """
    if "certificate" not in record or "tally" not in record:
        return None
    tally = Attributes(record["tally"])
    components = read_int_or_none(Attributes(record["certificate"]), "components") or 0
    if get_array(record["tally"], "candidate").size != components:
        raise ValueError("the numbers of candidates and components differ")
    looks, classes = len(read_ints(tally, "looks")), read_int(tally, "classes")
    # The levels of a radius map are numbers of hits, 0 .. n.
    return max(components * max(1, looks), classes * (classes + 1), read_int(tally, "n") + 1)


def check_sizes(record: Record) -> None:
    """Check shape and type of all arrays of an open record, before any is read.

    Raises:
        ValueError: an array has another shape or type, or the arrays do not fit into memory.
    """
    tally = record.tally
    grid = tuple(tally.candidate.shape)
    if math.prod(grid) != record.decision.components:
        raise ValueError(f"candidate has shape {grid}, not {record.decision.components} components")
    claimed = 0
    for name, array in {**vars(tally), **vars(record)}.items():
        if name in ("levels", "radii") or not hasattr(array, "shape"):
            continue
        shape = (len(tally.looks), *grid) if name == "path" else grid
        kinds = "iuf" if name == "level" else "iu"
        if tuple(array.shape) != shape or array.dtype.kind not in kinds:
            raise ValueError(
                f"{name} is {array.dtype} of shape {tuple(array.shape)}, expected {shape}"
            )
        claimed += math.prod(shape) * array.dtype.itemsize
    if claimed > _SMALL:
        free = HostMemory().free()
        if free is not None and claimed > free:
            raise ValueError(
                f"its arrays need {claimed / 2**30:.1f} GiB, but only {free / 2**30:.1f} are free"
            )
