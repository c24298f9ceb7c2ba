"""Pascal Context, whose 59 classes come with or without the background as a class of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, final

from onnxcert.inputs.datasets.layout import only_argument
from onnxcert.inputs.datasets.pascal import pascal_items
from onnxcert.inputs.label_map import LabelMap
from onnxcert.inputs.listing import Item, Listing
from onnxcert.inputs.translation import Translation

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

#: From the numbers in the files, where 0 is background, to the 59 classes.
WITHOUT_BACKGROUND: Final = LabelMap(
    Translation.of({0: _IGNORE, _IGNORE: _IGNORE, **{i + 1: i for i in range(len(CLASSES))}}),
    ignore_label=_IGNORE,
)


@final
class PascalContext:
    """One split of Pascal Context, background being class 0 of 60.

    The list ``ImageSets/SegmentationContext/val.txt`` is named; pictures are in ``JPEGImages``,
    labels, PNG or TIFF, in ``SegmentationClassContext``.
    """

    name: ClassVar[str] = "pascal-context"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the pictures of the split that the one argument names; see `Reader.list`."""
        return Listing(_items(arguments, labels), ("background", *CLASSES), _IGNORE)


@final
class PascalContext59:
    """One split of Pascal Context without background, which becomes 255, unlabelled."""

    name: ClassVar[str] = "pascal-context-59"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the pictures of the split that the one argument names; see `Reader.list`."""
        return Listing(_items(arguments, labels), CLASSES, _IGNORE, WITHOUT_BACKGROUND)


def _items(arguments: Sequence[str], labels: str | None) -> tuple[Item, ...]:
    expected = "the list of a split such as VOC2010/ImageSets/SegmentationContext/val.txt"
    return pascal_items(
        only_argument(arguments, labels, expected=expected),
        lists="SegmentationContext",
        labels="SegmentationClassContext",
        suffixes=(".png", ".tif", ".tiff"),
    )
