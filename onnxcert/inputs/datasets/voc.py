"""Pascal VOC 2012, 21 classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, final

from onnxcert.inputs.datasets.layout import require_single_path
from onnxcert.inputs.datasets.pascal import list_pascal_items
from onnxcert.inputs.listing import Listing

CLASSES: Final = (
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
        return Listing(items, CLASSES, 255)
