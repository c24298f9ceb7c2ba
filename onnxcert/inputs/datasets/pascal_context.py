"""Pascal Context, 59 classes, with or without the background as a class of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, final

from onnxcert.inputs.datasets.layout import require_single_path
from onnxcert.inputs.datasets.pascal import list_pascal_items
from onnxcert.inputs.label_map import LabelMap
from onnxcert.inputs.listing import Item, Listing
from onnxcert.inputs.translation import LookupTable

_IGNORE: Final = 255

CLASSES: Final = (
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
    LookupTable.of({0: _IGNORE, _IGNORE: _IGNORE, **{i + 1: i for i in range(len(CLASSES))}}),
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
        return Listing(_list_items(arguments, labels), ("background", *CLASSES), _IGNORE)


@final
class PascalContext59:
    """One split of Pascal Context with 59 classes; the background becomes 255, unlabelled."""

    name: ClassVar[str] = "pascal-context-59"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the images of the split given by the one argument; see `Reader.list`."""
        return Listing(_list_items(arguments, labels), CLASSES, _IGNORE, WITHOUT_BACKGROUND)


def _list_items(arguments: Sequence[str], labels: str | None) -> tuple[Item, ...]:
    expected = "the list of a split such as VOC2010/ImageSets/SegmentationContext/val.txt"
    return list_pascal_items(
        require_single_path(arguments, labels, expected=expected),
        lists="SegmentationContext",
        labels="SegmentationClassContext",
        suffixes=(".png", ".tif", ".tiff"),
    )
