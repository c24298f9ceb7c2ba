"""What a run goes through: named pictures, their labels, and the protocol of those who list."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final, Protocol

from onnxcert.errors import ParameterError
from onnxcert.inputs.class_labels import ClassLabel
from onnxcert.inputs.coding import INDEX, LabelCoding

# Longest name in bytes: leaves room for suffixes within the 255 that file systems allow.
_LONGEST: Final = 180
_TAG: Final = 12


@dataclass(frozen=True)
class Item:
    """One picture or point cloud of a run.

    Attributes:
        name: unique in the run, in any letter case, and safe as a file name.
        path: the file.
        label: its label map, or what tells its class: a table or the folder it lies in; or None.
        class_label: the class of the whole input, where `label` tells one.
        category: what the shape is, such as ``Chair``, where the data set tells; else empty.
        index: place in the file, from 0, where one file holds several point clouds.
    """

    name: str
    path: Path
    label: Path | None
    class_label: ClassLabel | None = None
    category: str = ""
    index: int | None = None


@dataclass(frozen=True)
class Listing:
    """The pictures of a run, in order.

    Attributes:
        items: the pictures.
        class_names: the names that come with the data set, or None where it has none.
        ignore_label: the index of unlabelled pixels that comes with the data set, or None.
        coding: what the numbers or colours in its label files mean.
        columns: what the columns of files of points are, where they have no names; or None.
        categories: of shapes, name -> the classes of its parts, that come with the data set.
        left_out: links to files and folders that are listed already.
    """

    items: tuple[Item, ...]
    class_names: tuple[str, ...] | None = None
    ignore_label: int | None = None
    coding: LabelCoding = INDEX
    columns: str | None = None
    categories: tuple[tuple[str, tuple[int, ...]], ...] = ()
    left_out: tuple[str, ...] = ()


class Reader(Protocol):
    """A way to lay out a data set on disk."""

    name: ClassVar[str]

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the pictures that `arguments` name, with their labels.

        Args:
            arguments: what stands on the command line: files, folders, patterns.
            labels: where the label maps are, or the classes; or None.

        Raises:
            InputError: something named is missing, empty or ambiguous.
        """
        ...


def select(listing: Listing, *, limit: int | None = None, every: int | None = None) -> Listing:
    """Keep every `every`-th picture, counting from the first, and of these the first `limit`.

    Names are given before, so a picture is called the same whatever is selected.

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
    """`path` from the root, without ``..``; links stay, as what lies beside a link counts."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def normal(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the parts of a path in Unicode normal form C, as some file systems store them."""
    return tuple(unicodedata.normalize("NFC", part) for part in parts)


def ends(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield every end of a path, the longest first."""
    return (parts[i:] for i in range(len(parts)))


def name_items(paths: Sequence[Path]) -> tuple[str, ...]:
    """A name for each of several different paths, whatever their order.

    A picture is called by its stem; pictures that would share a name, by their path below the
    folder common to all, then with the suffix as well, then with a digest of that path.
    """
    whole = [absolute(path) for path in paths]
    try:
        root = os.path.commonpath([path.parent for path in whole])
        below = [path.relative_to(root) for path in whole]
    except ValueError:  # no paths, or several drives
        below = whole
    candidates = [_candidates(path) for path in below]
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


def _candidates(below: Path) -> tuple[str, str, str, str]:
    tag = hashlib.sha256(os.fsencode(below)).hexdigest()[:_TAG]
    whole = "__".join(below.parts)
    return (
        _safe(below.stem, tag),
        _safe("__".join(below.with_suffix("").parts), tag),
        _safe(whole, tag),
        f"{_safe(whole, tag)[: _LONGEST // 4]}-{tag}",
    )


def _plain(name: str) -> str:
    kept = (c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in name)
    return "".join(kept).strip(" .") or "_"


def _safe(name: str, tag: str) -> str:
    name = _plain(name)
    return name if len(name.encode()) <= _LONGEST else f"{name[: _LONGEST // 4]}-{tag}"


def safe_name(name: str) -> str:
    """`name` as the name of a file or folder, whatever it holds."""
    return _safe(name, hashlib.sha256(name.encode()).hexdigest()[:_TAG])


def is_safe_name(name: str) -> bool:
    """Return whether `name_items` or `safe_name` can give this name."""
    # A shortened name has a tag, with which it can be a little longer than the limit.
    return _plain(name) == name and len(name.encode()) <= _LONGEST + 1 + _TAG
