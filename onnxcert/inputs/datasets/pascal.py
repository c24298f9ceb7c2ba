"""The folder layout of Pascal VOC, in which text files list the images of a split."""

from __future__ import annotations

from pathlib import Path

from onnxcert.errors import InputError
from onnxcert.inputs.datasets.layout import pair_items, require
from onnxcert.inputs.decoding import read_lines
from onnxcert.inputs.folder import listing_errors
from onnxcert.inputs.listing import Item

_EXPECTED = "a UTF-8 text file with one picture name per line"


def list_pascal_items(
    split: Path, *, lists: str, labels: str, suffixes: tuple[str, ...]
) -> tuple[Item, ...]:
    """Return the images that ``ImageSets/<lists>/<split>.txt`` lists, with their label maps.

    Args:
        split: that file; ``JPEGImages`` and `labels` lie beside ``ImageSets``.
        lists: the folder of lists.
        labels: the folder of label maps.
        suffixes: accepted suffixes of label maps, in order of preference.

    Raises:
        InputError: `split` lies elsewhere, lists no image, or lists one that is missing or has no
            label map.
    """
    example = f"the list of a split such as VOC2012/ImageSets/{lists}/val.txt"
    if (split.parent.name, split.parent.parent.name) != (lists, "ImageSets"):
        raise InputError(
            f"{split}: expected {example}, but it is not in such a folder: check the path."
        )
    root = split.parents[2]
    with listing_errors(str(split)):
        require(split, example, split, root / "JPEGImages", root / labels)
        names = list(dict.fromkeys(line for line in read_lines(split, _EXPECTED) if line))
        if not names:
            raise InputError(f"{split}: expected names of pictures, but it has none: add them.")
        images = [_find_file(split, root / "JPEGImages", name, (".jpg",)) for name in names]
        maps = [_find_file(split, root / labels, name, suffixes) for name in names]
    return pair_items(images, maps)


def _find_file(split: Path, folder: Path, name: str, suffixes: tuple[str, ...]) -> Path:
    # Lists of other tasks have a second column; a name with folders could leave the data set.
    if name != Path(name).name or len(name.split()) > 1:
        raise InputError(
            f"{split}: expected one picture name per line, without folder and suffix, but there is "
            f"{name[:40]!r}: give a list for segmentation."
        )
    candidates = [folder / f"{name}{suffix}" for suffix in suffixes]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InputError(
            f"{split}: expected a file for each name in it, but there is no {candidates[0]}: "
            "add it, or remove the name from the list."
        )
    return found
