"""Helpers shared by the readers of published data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxcert.data.listing import Item, absolute, name_items
from onnxcert.errors import InputError


def require_single_path(arguments: Sequence[str], labels: str | None, *, expected: str) -> Path:
    """Return the one path that names a split of a data set with labels of its own.

    Links are not resolved: a split may be a link, and its labels lie beside the link.

    Args:
        arguments: see `Reader.list`.
        labels: see `Reader.list`.
        expected: the expected path, with its article and an example.

    Raises:
        InputError: there is not exactly one path, or labels are given as well.
    """
    if len(arguments) != 1:
        raise InputError(
            f"expected {expected}, but {len(arguments)} paths were given: give one, or leave "
            "--dataset out for your own pictures."
        )
    if labels is not None:
        raise InputError(
            f"expected the label maps that belong to {arguments[0]}, but --labels {labels} was "
            "given: leave it out, or read the pictures without --dataset."
        )
    return absolute(Path(arguments[0]))


def require(argument: str | Path, expected: str, *paths: Path) -> None:
    """Raise InputError unless every path exists.

    Args:
        argument: the path that the user gave.
        expected: the expected kind of path, with its article.
        paths: folders, and files where there is a suffix.
    """
    for path in paths:
        if not (path.is_file() if path.suffix else path.is_dir()):
            raise InputError(
                f"{argument}: expected {expected}, but there is no {path}: check the path."
            )


def pair_items(images: Sequence[Path], labels: Sequence[Path]) -> tuple[Item, ...]:
    """Return one named item for each image and the label map at the same position."""
    names = name_items(images)
    return tuple(Item(*one) for one in zip(names, images, labels, strict=True))
