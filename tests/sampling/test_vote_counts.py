"""Counting holds for every array library that follows the standard, not for NumPy's habits."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from onnxcert.sampling.backend import vote_counts as counters

LIBRARIES = (np, array_api_strict)


def one_by_one(labels: np.ndarray, candidate: np.ndarray) -> tuple[list[int], int]:
    rows = labels.reshape(len(labels), -1).tolist()
    wanted = candidate.reshape(-1).tolist()
    hits = [sum(row[k] == c for row in rows) for k, c in enumerate(wanted)]
    return hits, sum(row == wanted for row in rows)


@pytest.mark.parametrize("xp", LIBRARIES, ids=lambda xp: xp.__name__)
@given(
    rows=st.sampled_from([1, 2, 5, 255, 256, 300]),
    grid=st.sampled_from([(), (1,), (3,), (2, 2)]),
    dtype=st.sampled_from(["uint8", "int8", "uint16", "int16", "int32", "int64"]),
    classes=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
@examples(60)
def test_counts_are_a_recount(
    xp: ModuleType, rows: int, grid: tuple[int, ...], dtype: str, classes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    kind: Any = np.dtype(dtype)
    values = [*range(4), np.iinfo(kind).max, np.iinfo(kind).min]
    labels = rng.choice(np.array(values, kind), (rows, *grid))
    candidate = rng.integers(0, classes, grid).astype(np.uint8)
    given_labels, given_candidate = xp.asarray(labels), xp.asarray(candidate)
    hits = xp.zeros(grid, dtype=xp.uint16)
    joint = counters.match(given_labels, given_candidate, hits)
    expected, together = one_by_one(labels, candidate)
    assert np.asarray(hits).reshape(-1).tolist() == expected
    assert int(joint) == together
    votes = xp.zeros((classes, *grid), dtype=xp.uint16)
    counters.select(given_labels, votes)
    for c in range(classes):
        np.testing.assert_array_equal(np.asarray(votes)[c], (labels == c).sum(axis=0))
    none = sum(not 0 <= v < classes for v in labels.reshape(-1).tolist())
    assert int(counters.count_invalid(given_labels, classes)) == none
