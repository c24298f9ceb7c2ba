"""Records for tests of the store, certified without any model file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

import onnxcert
from onnxcert import Certificate, Gaussian
from onnxcert.results import Record, Results
from onnxcert.results.record import Provenance

Array = npt.NDArray[Any]
ASKED = {"tau": 0.75, "nonrobust": None}  # of the run, whose seed is 3


class Steps:
    """The label of a pixel is its red value in steps; `missing` of them give no vote."""

    def __init__(self, classes: int, *, missing: int | None = None) -> None:
        self.classes = classes
        self.missing = missing

    def __call__(self, batch: Array) -> Array:
        labels = np.clip(batch[:, 0] * self.classes, 0, self.classes - 1).astype(np.int64)
        if self.missing is not None:
            labels[labels == self.missing] = self.classes
        return np.asarray(labels)


def certified(
    *, shape: tuple[int, int] = (6, 7), classes: int = 3, missing: int | None = None, **options: Any
) -> Certificate:
    """A certificate of a random picture; some pixels abstain."""
    x = np.random.default_rng(options.get("seed", 0)).uniform(0, 1, (3, *shape)).astype(np.float32)
    options.setdefault("seed", 0)
    return onnxcert.certify(Steps(classes, missing=missing), x, Gaussian(0.05), **options)


def provenance(**extra: Any) -> Provenance:
    return Provenance(
        model={"name": "model.onnx", "sha256": "0" * 64},
        contract={"input": "image", "value_range": [0.0, 1.0], "class_names": ["a", "b", "c"]},
        input={"name": "x", "path": "x.png", "label": "", "sha256": "1" * 64},
        parameters={**ASKED, "seed": 3},
        environment={"packages": {"numpy": "2"}, "warnings": []},
        date="2026-01-01T00:00:00+00:00",
        **extra,
    )


def record(
    name: str = "x", *, nonrobust: bool = False, truth: bool = False, **options: Any
) -> Record:
    """A record as a run makes it."""
    certificate = certified(**options)
    tally = certificate.tally
    return Record.of(
        name,
        certificate,
        clean=tally.single,
        nonrobust=tally.candidate if nonrobust else None,
        truth=np.asarray(tally.candidate, np.int32) if truth else None,
        provenance=provenance(),
    )


def fingerprints(results: Results, name: str) -> tuple[str | None, str]:
    """The stored digest of a record and that of its content."""
    with results.examine(name) as (_, row, stored):
        return stored, row.digest


def without(name: str) -> Callable[[Path], None]:
    """An edit that removes one object of an HDF5 file."""

    def edit(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file[name]

    return edit
