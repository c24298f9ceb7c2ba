"""The folder layout of Pascal VOC, in which text files list the images of a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, final

from onnxcert.data.datasets.layout import pair_items, require, require_single_path
from onnxcert.data.files.decoding import read_lines
from onnxcert.data.folder import listing_errors
from onnxcert.data.labels.encoding import LabelMap, LookupTable
from onnxcert.data.listing import Item, Listing
from onnxcert.errors import InputError

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


VOC_CLASSES: Final = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant"),
    *("sheep", "sofa", "train", "tv/monitor"),
)


@final
class PascalVOC:
    """One split of Pascal VOC, given by its list ``ImageSets/Segmentation/val.txt``.

    Images are in ``JPEGImages``, labels in ``SegmentationClass``, where 255 marks object outlines.
    """

    name: ClassVar[str] = "pascal-voc"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the images of the split given by the one argument; see `Reader.list`."""
        expected = "the list of a split such as VOC2012/ImageSets/Segmentation/val.txt"
        split = require_single_path(arguments, labels, expected=expected)
        items = list_pascal_items(
            split, lists="Segmentation", labels="SegmentationClass", suffixes=(".png",)
        )
        return Listing(items, VOC_CLASSES, 255)


_IGNORE: Final = 255

CONTEXT_CLASSES: Final = (
    *("aeroplane", "bag", "bed", "bedclothes", "bench", "bicycle", "bird", "boat", "book"),
    *("bottle", "building", "bus", "cabinet", "car", "cat", "ceiling", "chair", "cloth"),
    *("computer", "cow", "cup", "curtain", "dog", "door", "fence", "floor", "flower", "food"),
    *("grass", "ground", "horse", "keyboard", "light", "motorbike", "mountain", "mouse"),
    *("person", "plate", "platform", "potted plant", "road", "rock", "sheep", "shelves"),
    *("sidewalk", "sign", "sky", "snow", "sofa", "table", "track", "train", "tree", "truck"),
    *("tv/monitor", "wall", "water", "window", "wood"),
)

#: From the numbers in the files, where 0 is the background, to the 59 classes.
WITHOUT_BACKGROUND: Final = LabelMap(
    LookupTable.of(
        {0: _IGNORE, _IGNORE: _IGNORE, **{i + 1: i for i in range(len(CONTEXT_CLASSES))}}
    ),
    ignore_label=_IGNORE,
)


@final
class PascalContext:
    """One split of Pascal Context with 60 classes, class 0 being the background.

    The argument is the list ``ImageSets/SegmentationContext/val.txt``. Images are in
    ``JPEGImages``, labels (PNG or TIFF) in ``SegmentationClassContext``.
    """

    name: ClassVar[str] = "pascal-context"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the images of the split given by the one argument; see `Reader.list`."""
        return Listing(_list_items(arguments, labels), ("background", *CONTEXT_CLASSES), _IGNORE)


@final
class PascalContext59:
    """One split of Pascal Context with 59 classes; the background becomes 255, unlabelled."""

    name: ClassVar[str] = "pascal-context-59"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the images of the split given by the one argument; see `Reader.list`."""
        return Listing(_list_items(arguments, labels), CONTEXT_CLASSES, _IGNORE, WITHOUT_BACKGROUND)


def _list_items(arguments: Sequence[str], labels: str | None) -> tuple[Item, ...]:
    expected = "the list of a split such as VOC2010/ImageSets/SegmentationContext/val.txt"
    return list_pascal_items(
        require_single_path(arguments, labels, expected=expected),
        lists="SegmentationContext",
        labels="SegmentationClassContext",
        suffixes=(".png", ".tif", ".tiff"),
    )
