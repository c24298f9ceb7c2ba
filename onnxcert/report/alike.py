"""Merge notes that differ only in their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_NUMBERS: Final = re.compile(r"\d[\d,.]*(e-?\d+)?")


def counted(notes: Mapping[str, int], inputs: int) -> list[str]:
    """Return each kind of note once, with the number of inputs that have it.

    Args:
        notes: note -> number of inputs that have it.
        inputs: number of all inputs.
    """
    found = []
    for kind in _kinds(notes):
        many = sum(notes[note] for note in kind)
        differ = ", with other numbers each" if len(kind) > 1 else ""
        found.append(f"{kind[0]} ({many} of {inputs} inputs{differ})")
    return found


def once(notes: Iterable[str]) -> list[str]:
    """Return each kind of note once, with how many more differ only in numbers."""
    return [
        kind[0] + (f" (and {len(kind) - 1} more with other numbers)" if len(kind) > 1 else "")
        for kind in _kinds(notes)
    ]


def _kinds(notes: Iterable[str]) -> list[list[str]]:
    """Group the notes that differ only in numbers, in the order of the first of each group."""
    kinds: dict[str, list[str]] = {}
    for note in notes:
        kinds.setdefault(_NUMBERS.sub("#", note), []).append(note)
    return list(kinds.values())
