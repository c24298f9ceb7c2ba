"""What the readers of published data sets share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxcert.errors import InputError
from onnxcert.inputs.listing import Item, absolute, name_items


def only_argument(arguments: Sequence[str], labels: str | None, *, expected: str) -> Path:
    """The one path that names a split of a data set that brings its own labels.

    Not resolved: a split may be a link to elsewhere, and what lies beside the link counts.

    Args:
        arguments, labels: see `Reader.list`.
        expected: what to name, with its article and an example.

    Raises:
        InputError: none or several were named, or labels as well.
    """
    if len(arguments) != 1:
        raise InputError(
            f"expected {expected}, but {len(arguments)} paths were named: name one, and pictures "
            "of your own without --dataset."
        )
    if labels is not None:
        raise InputError(
            f"expected the label maps that belong to {arguments[0]}, but --labels {labels} came "
            "as well: leave it out, or read the pictures without --dataset."
        )
    return absolute(Path(arguments[0]))


def require(argument: str | Path, expected: str, *paths: Path) -> None:
    """Raise InputError unless every path is there.

    Args:
        argument: what the user named.
        expected: what it should have been, with its article.
        paths: folders, and files where there is a suffix.
    """
    for path in paths:
        if not (path.is_file() if path.suffix else path.is_dir()):
            raise InputError(
                f"{argument}: expected {expected}, but there is no {path}: check the path."
            )


def paired(pictures: Sequence[Path], labels: Sequence[Path]) -> tuple[Item, ...]:
    """One named item for each picture and the label map at the same place."""
    names = name_items(pictures)
    return tuple(Item(*one) for one in zip(names, pictures, labels, strict=True))
