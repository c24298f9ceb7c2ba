"""Notes that differ in their numbers alone, as one with their count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_NUMBERS: Final = re.compile(r"\d[\d,.]*(e-?\d+)?")


def counted(notes: Mapping[str, int], inputs: int) -> list[str]:
    """Each kind of note once, with the number of inputs that have it.

    Args:
        notes: note -> number of inputs. inputs: of all.
    """
    found = []
    for kind in _kinds(notes):
        many = sum(notes[note] for note in kind)
        differ = ", with other numbers each" if len(kind) > 1 else ""
        found.append(f"{kind[0]} ({many} of {inputs} inputs{differ})")
    return found


def once(notes: Iterable[str]) -> list[str]:
    """Each kind of note once, with the number of further ones where they differ in numbers."""
    return [
        kind[0] + (f" (and {len(kind) - 1} more with other numbers)" if len(kind) > 1 else "")
        for kind in _kinds(notes)
    ]


def _kinds(notes: Iterable[str]) -> list[list[str]]:
    """The notes that differ in numbers alone, together; in the order of the first of each."""
    kinds: dict[str, list[str]] = {}
    for note in notes:
        kinds.setdefault(_NUMBERS.sub("#", note), []).append(note)
    return list(kinds.values())
