"""Glob patterns that visit each folder once, however many links lead to it."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from typing import Final

_SEPARATORS: Final = re.escape(os.sep + (os.altsep or ""))
_ANY_DEPTH: Final = re.compile(rf"(?:^|[{_SEPARATORS}])\*\*(?:[{_SEPARATORS}]+|$)")


def expand_pattern(pattern: str, skipped_links: list[str]) -> list[str]:
    """Return the visible paths that match a pattern (``*``, ``?``, ``[...]``, ``**``), sorted.

    Unlike `glob.glob`, it does not loop if a link leads back to a parent folder.

    Args:
        pattern: as for `glob.glob` with `recursive`.
        skipped_links: gets the links to folders that were already visited.

    Raises:
        OSError: a folder cannot be read.
    """
    stars = _ANY_DEPTH.search(pattern)
    if stars is None:
        return sorted(glob.glob(pattern))  # noqa: PTH207
    head, tail = pattern[: stars.start()], pattern[stars.end() :]
    if not head and not pattern.startswith("**"):
        head = os.sep
    found: dict[str, None] = {}
    for top in sorted(glob.glob(head)) if head else [""]:  # noqa: PTH207
        for folder in _folders(top, skipped_links):
            below = os.path.join(glob.escape(folder), tail or "*")  # noqa: PTH118
            found.update(dict.fromkeys(expand_pattern(below, skipped_links)))
    return sorted(found)


def _folders(top: str, skipped_links: list[str]) -> Iterator[str]:
    """Yield `top` and the visible folders below it; those behind links come last."""
    seen: set[tuple[int, int]] = set()
    folders, links = [top], list[str]()
    while folders or links:
        folder = folders.pop(0) if folders else links.pop(0)
        status = os.stat(folder or os.curdir)  # noqa: PTH116
        place = status.st_dev, status.st_ino
        if place in seen:
            skipped_links.append(folder)
            continue
        seen.add(place)
        yield folder
        with os.scandir(folder or os.curdir) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = os.path.join(folder, entry.name)  # noqa: PTH118
                if not entry.name.startswith(".") and os.path.isdir(path):  # noqa: PTH112
                    (links if entry.is_symlink() else folders).append(path)
