"""Limits on the arrays of a record: a few bytes in a file can claim gigabytes of zeros."""

from __future__ import annotations

import math
from typing import Final

import h5py

from onnxcert.model.runtime.machine import HostMemory
from onnxcert.results import checks
from onnxcert.results.attributes import Attributes
from onnxcert.results.hdf5 import get_array
from onnxcert.results.record import Array, Record

_SMALL: Final = 2**28  # bytes that every machine has free


def most_values(record: h5py.Group) -> int | None:
    """Return the largest allowed size of an array of a record; None if it is not a record.

    Raises:
        KeyError, TypeError, ValueError: the record does not state its sizes.
    """
    if "certificate" not in record or "tally" not in record:
        return None
    tally = Attributes(record["tally"])
    components = checks.read_int_or_none(Attributes(record["certificate"]), "components") or 0
    if get_array(record["tally"], "candidate").size != components:
        raise ValueError("the numbers of candidates and components differ")
    looks, classes = len(checks.read_ints(tally, "looks")), checks.read_int(tally, "classes")
    # The levels of a radius map are numbers of hits, 0 .. n.
    return max(components * max(1, looks), classes * (classes + 1), checks.read_int(tally, "n") + 1)


def check_sizes(record: Record) -> None:
    """Check shape and type of all arrays of an open record, before any is read.

    Raises:
        ValueError: an array has another shape or type, or the arrays do not fit into memory.
    """
    grid = tuple(record.candidate.shape)
    if math.prod(grid) != record.decision.components:
        raise ValueError(f"candidate has shape {grid}, not {record.decision.components} components")
    arrays: dict[str, tuple[Array | None, tuple[int, ...]]] = {
        **{
            name: (getattr(record, name), grid)
            for name in (
                *("candidate", "hits", "single", "labels", "level", "clean"),
                *("runner_up", "nonrobust"),
            )
        },
        "path": (record.path, (len(record.looks), *grid)),
    }
    claimed = 0
    for name, (array, shape) in arrays.items():
        if array is None:
            continue
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
