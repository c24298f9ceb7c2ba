"""The inputs of a run (named files with labels) and the protocol of data set readers."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final, Protocol

from onnxcert.data.labels.class_label import ClassLabel
from onnxcert.data.labels.encoding import INDEX, LabelEncoding
from onnxcert.errors import ParameterError

# Longest name in bytes: leaves room for suffixes within the file system limit of 255.
_LONGEST: Final = 180
_TAG: Final = 12


@dataclass(frozen=True)
class Item:
    """One image or point cloud of a run.

    Attributes:
        name: unique in the run, even without regard to case, and safe as a file name.
        path: the file.
        label: its label map, or the source of its class label (a table or its folder); or None.
        class_label: the class of the whole input, if `label` gives one.
        category: shape category, such as ``Chair``, if the data set gives it; else empty.
        index: position in the file, from 0, if one file holds several point clouds.
    """

    name: str
    path: Path
    label: Path | None
    class_label: ClassLabel | None = None
    category: str = ""
    index: int | None = None


@dataclass(frozen=True)
class Listing:
    """The inputs of a run, in order.

    Attributes:
        items: the inputs.
        class_names: class names of the data set, or None.
        ignore_label: index of unlabelled pixels in the data set, or None.
        label_encoding: encoding of its label files.
        columns: meaning of the columns in point files without column names, or None.
        categories: shape categories of the data set: name -> classes of its parts.
        skipped_links: links to files and folders that are already listed.
    """

    items: tuple[Item, ...]
    class_names: tuple[str, ...] | None = None
    ignore_label: int | None = None
    label_encoding: LabelEncoding = INDEX
    columns: str | None = None
    categories: tuple[tuple[str, tuple[int, ...]], ...] = ()
    skipped_links: tuple[str, ...] = ()


class Reader(Protocol):
    """A reader of one data set layout on disk."""

    name: ClassVar[str]

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the inputs that `arguments` name, with their labels.

        Args:
            arguments: files, folders and patterns from the command line.
            labels: path of the label maps or class labels, or None.

        Raises:
            InputError: a path is missing, empty or ambiguous.
        """
        ...


def select(listing: Listing, *, limit: int | None = None, every: int | None = None) -> Listing:
    """Keep every `every`-th input, from the first on, and of these the first `limit`.

    An item keeps its name whatever is selected.

    Raises:
        ParameterError: `limit` or `every` is below 1.
    """
    for flag, value in (("--limit", limit), ("--every", every)):
        if value is not None and value < 1:
            raise ParameterError(
                f"expected {flag} to be at least 1, but it is {value}: raise it or leave it out."
            )
    return replace(listing, items=listing.items[:: every or 1][:limit])


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
