"""Vote counts from labels, for any array library: NumPy on the CPU, CuPy on a GPU.

Uses the array API standard, so that counters stay where the labels are. Labels are integers
[b, *grid]; a value outside 0 .. classes - 1 is invalid (no vote).
"""

from __future__ import annotations

from array_api_compat import array_namespace

from onnxcert._typing import Array


def count_invalid(labels: Array, classes: int) -> Array:
    """Return the number of invalid `labels`, as an array without axes."""
    xp = array_namespace(labels)
    none = labels >= classes if classes <= xp.iinfo(labels.dtype).max else labels != labels
    if xp.isdtype(labels.dtype, "signed integer"):
        none = xp.logical_or(none, labels < 0)
    return xp.count_nonzero(none)


def select(labels: Array, votes: Array) -> None:
    """Add the votes for each class to `votes` [classes, *grid]."""
    xp = array_namespace(votes)
    for c in range(votes.shape[0]):
        if c <= xp.iinfo(labels.dtype).max:
            votes[c, ...] += _sum(xp, labels == c, votes.dtype)


def match(labels: Array, candidate: Array, hits: Array) -> Array:
    """Add the votes for `candidate` [*grid] to `hits` [*grid].

    Returns:
        In how many draws every component voted for its candidate; an array without axes.
    """
    xp = array_namespace(hits)
    matches = labels == candidate
    hits[...] += _sum(xp, matches, hits.dtype)
    return xp.count_nonzero(xp.all(xp.reshape(matches, (matches.shape[0], -1)), axis=1))


def _sum(xp: Array, matches: Array, dtype: Array) -> Array:
    """Sum over the first axis, in one byte where that is enough: several times faster."""
    narrow = xp.uint8 if matches.shape[0] < 256 else dtype
    return xp.sum(xp.astype(matches, narrow), axis=0, dtype=narrow)
