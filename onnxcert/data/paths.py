"""Paths of inputs: patterns, comparison of their ends, and unique names that are safe as files."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

# Longest name in bytes: leaves room for suffixes within the file system limit of 255.
_LONGEST: Final = 180
_TAG: Final = 12
_SEPARATORS: Final = re.escape(os.sep + (os.altsep or ""))
_ANY_DEPTH: Final = re.compile(rf"(?:^|[{_SEPARATORS}])\*\*(?:[{_SEPARATORS}]+|$)")


def absolute(path: Path) -> Path:
    """Return the absolute `path` without ``..``; keep links, as data may lie beside a link."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def normalise_unicode(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the parts of a path in Unicode normal form C, as some file systems store them."""
    return tuple(unicodedata.normalize("NFC", part) for part in parts)


def iterate_ends(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield every end of a path, the longest first."""
    return (parts[i:] for i in range(len(parts)))


def name_items(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return a unique name for each path, independent of the order of the paths.

    A name is the file's stem. Paths with the same stem get their path below the common folder, then
    the suffix as well, then a digest of that path.
    """
    whole = [absolute(path) for path in paths]
    try:
        root = os.path.commonpath([path.parent for path in whole])
        below = [path.relative_to(root) for path in whole]
    except ValueError:  # no paths, or several drives
        below = whole
    candidates = [_list_candidates(path) for path in below]
    level = [0] * len(candidates)
    while True:
        names = [names[i] for names, i in zip(candidates, level, strict=True)]
        # Some file systems ignore letter case and Unicode normalisation.
        alike = [unicodedata.normalize("NFC", name).casefold() for name in names]
        count = Counter(alike)
        clashing = [i for i, name in enumerate(alike) if count[name] > 1]
        raised = [i for i in clashing if level[i] < len(candidates[i]) - 1]
        if not raised:
            return tuple(names)
        for i in raised:
            level[i] += 1


def _list_candidates(below: Path) -> tuple[str, str, str, str]:
    tag = hashlib.sha256(os.fsencode(below)).hexdigest()[:_TAG]
    whole = "__".join(below.parts)
    return (
        _shorten(below.stem, tag),
        _shorten("__".join(below.with_suffix("").parts), tag),
        _shorten(whole, tag),
        f"{_shorten(whole, tag)[: _LONGEST // 4]}-{tag}",
    )


def _replace_unsafe(name: str) -> str:
    kept = (c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in name)
    return "".join(kept).strip(" .") or "_"


def _shorten(name: str, tag: str) -> str:
    name = _replace_unsafe(name)
    return name if len(name.encode()) <= _LONGEST else f"{name[: _LONGEST // 4]}-{tag}"


def safe_name(name: str) -> str:
    """Return `name` made safe as the name of a file or folder."""
    return _shorten(name, hashlib.sha256(name.encode()).hexdigest()[:_TAG])


def is_safe_name(name: str) -> bool:
    """Return whether `name_items` or `safe_name` can give this name."""
    # A shortened name gets a tag, so it can exceed the limit slightly.
    return _replace_unsafe(name) == name and len(name.encode()) <= _LONGEST + 1 + _TAG


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
