"""Pascal VOC 2012, 21 classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, final

from onnxcert.inputs.datasets.layout import only_argument
from onnxcert.inputs.datasets.pascal import pascal_items
from onnxcert.inputs.listing import Listing

CLASSES: Final = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant"),
    *("sheep", "sofa", "train", "tv/monitor"),
)


@final
class PascalVOC:
    """One split of Pascal VOC: ``ImageSets/Segmentation/val.txt`` and what lies around it.

    Pictures are in ``JPEGImages``, labels in ``SegmentationClass``, where 255 marks the outlines.
    """

    name: ClassVar[str] = "pascal-voc"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the pictures of the split that the one argument names; see `Reader.list`."""
        expected = "the list of a split such as VOC2012/ImageSets/Segmentation/val.txt"
        split = only_argument(arguments, labels, expected=expected)
        items = pascal_items(
            split, lists="Segmentation", labels="SegmentationClass", suffixes=(".png",)
        )
        return Listing(items, CLASSES, 255)
