"""The folder layout of Pascal VOC, in which lists of names make the splits."""

from __future__ import annotations

from pathlib import Path

from onnxcert.errors import InputError
from onnxcert.inputs.datasets.layout import paired, require
from onnxcert.inputs.decoding import read_lines
from onnxcert.inputs.folder import listing_errors
from onnxcert.inputs.listing import Item

_EXPECTED = "a UTF-8 text file with the name of one picture a line"


def pascal_items(
    split: Path, *, lists: str, labels: str, suffixes: tuple[str, ...]
) -> tuple[Item, ...]:
    """The pictures that ``ImageSets/<lists>/<split>.txt`` names, with their label maps.

    Args:
        split: that file; ``JPEGImages`` and `labels` lie beside ``ImageSets``.
        lists: the folder of lists.
        labels: the folder of label maps.
        suffixes: those that label maps may have, in order of preference.

    Raises:
        InputError: `split` lies elsewhere, names no picture, or names one that is not there or
            has no label map.
    """
    example = f"the list of a split such as VOC2012/ImageSets/{lists}/val.txt"
    if (split.parent.name, split.parent.parent.name) != (lists, "ImageSets"):
        raise InputError(f"{split}: expected {example}, but it is none: name the file.")
    root = split.parents[2]
    with listing_errors(str(split)):
        require(split, example, split, root / "JPEGImages", root / labels)
        names = list(dict.fromkeys(line for line in read_lines(split, _EXPECTED) if line))
        if not names:
            raise InputError(f"{split}: expected names of pictures, but it has none: add them.")
        pictures = [_file(split, root / "JPEGImages", name, (".jpg",)) for name in names]
        maps = [_file(split, root / labels, name, suffixes) for name in names]
    return paired(pictures, maps)


def _file(split: Path, folder: Path, name: str, suffixes: tuple[str, ...]) -> Path:
    # Lists of other tasks have a second column, and a list must not reach outside its data set.
    if name != Path(name).name or len(name.split()) > 1:
        raise InputError(
            f"{split}: expected the name of one picture a line, without folder and suffix, but "
            f"there is {name[:40]!r}: name a list for segmentation."
        )
    candidates = [folder / f"{name}{suffix}" for suffix in suffixes]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InputError(
            f"{split}: expected a file for each name in it, but there is no {candidates[0]}: "
            "add it, or take the name off the list."
        )
    return found
