"""Values read from a file, held to the type they were written with.

A damaged or edited file must end in one sentence where it is read, not in a surprise where its
values are used. Each check raises ValueError, which the reader turns into a StoreError.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from onnxcert.result import Provenance
from onnxcert.store.record import Array, Decision

_NUMBERS = ("tau", "alpha", "radius")
_WHOLE = ("inputs", "threshold", "components", "abstained")
_ROWS = frozenset({"nonrobust", "clean", "noisy", "certified"})


def text(attributes: Mapping[str, Any], name: str) -> str:
    """A text."""
    value = attributes[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text, got {type(value).__name__}")
    return value


def whole(attributes: Mapping[str, Any], name: str) -> int:
    """A whole number not below 0."""
    value = attributes[name]
    if not isinstance(value, int | np.integer) or int(value) < 0:
        raise ValueError(f"{name} must be a whole number not below 0")
    return int(value)


def number(attributes: Mapping[str, Any], name: str) -> float:
    """A finite number."""
    value = attributes[name]
    if not isinstance(value, int | float | np.integer | np.floating) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number")
    return float(value)


def decision(attributes: Mapping[str, Any]) -> Decision:
    """What was decided."""
    values: dict[str, Any] = {}
    for field in fields(Decision):
        name = field.name
        read = number if name in _NUMBERS else whole if name in _WHOLE else text
        values[name] = read(attributes, name)
    values["notes"] = tuple(_texts(json.loads(values["notes"]), "notes"))
    if values["abstained"] > values["components"] or values["components"] < 1:
        raise ValueError("more components abstain than there are")
    return Decision(**values)


def provenance(attributes: Mapping[str, Any]) -> Provenance:
    """Where the record comes from."""
    values = {f.name: json.loads(text(attributes, f.name)) for f in fields(Provenance)}
    for name, value in values.items():
        if not isinstance(value, str if name == "date" else dict):
            raise ValueError(f"{name} is not what it was written as")
    for name in ("model", "input"):
        _texts(list(values[name].values()), name)
    _texts(values["contract"].get("class_names", []), "class names")
    _texts(values["environment"].get("warnings", []), "warnings")
    return Provenance(**values)


def confusion(row: str, matrix: Array, classes: int) -> Array:
    """A confusion matrix of one of the table's rows."""
    shaped = matrix.shape == (classes, classes + 1)
    if row not in _ROWS or not shaped or not np.issubdtype(matrix.dtype, np.integer):
        raise ValueError(f"the confusion matrix {row} is not one of {classes} classes")
    return matrix


def _texts(values: Any, name: str) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name} must be texts")
    return values
