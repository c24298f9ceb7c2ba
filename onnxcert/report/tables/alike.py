"""Merging of notes that differ only in their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_NUMBERS: Final = re.compile(r"\d[\d,.]*(e-?\d+)?")


def count_similar(notes: Mapping[str, int], inputs: int) -> list[str]:
    """Return each kind of note once, with the number of inputs that have it.

    Args:
        notes: note -> number of inputs that have it.
        inputs: number of all inputs.
    """
    found = []
    for group in _group_similar(notes):
        many = sum(notes[note] for note in group)
        differ = ", with different numbers" if len(group) > 1 else ""
        found.append(f"{group[0]} ({many} of {inputs} inputs{differ})")
    return found


def merge_similar(notes: Iterable[str]) -> list[str]:
    """Return each kind of note once, with how many more differ only in numbers."""
    return [
        group[0]
        + (f" (and {len(group) - 1} more with different numbers)" if len(group) > 1 else "")
        for group in _group_similar(notes)
    ]


def _group_similar(notes: Iterable[str]) -> list[list[str]]:
    """Group the notes that differ only in numbers, in the order of the first of each group."""
    groups: dict[str, list[str]] = {}
    for note in notes:
        groups.setdefault(_NUMBERS.sub("#", note), []).append(note)
    return list(groups.values())
