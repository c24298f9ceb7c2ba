"""The Cityscapes street scenes, 19 classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, final

from onnxcert.data.datasets.layout import pair_items, require, require_single_path
from onnxcert.data.folder import list_files, listing_errors
from onnxcert.data.labels.encoding import INDEX, LabelEncoding, LabelMap, LookupTable
from onnxcert.data.listing import Listing
from onnxcert.errors import InputError

_PICTURES, _LABELS, _SUFFIX = "leftImg8bit", "gtFine", "_leftImg8bit.png"
_IGNORE: Final = 255

CLASSES: Final = (
    *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign"),
    *("vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train"),
    *("motorcycle", "bicycle"),
)

# The labelIds of these classes, in the same order; all other ids, -1 to 33, are not evaluated.
_EVALUATED: Final = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

#: From labelIds (0 to 33; -1 or 255 for licence plates) to classes.
LABEL_IDS: Final = LabelMap(
    LookupTable.of(
        {
            **dict.fromkeys((-1, *range(34), 255), _IGNORE),
            **{number: index for index, number in enumerate(_EVALUATED)},
        }
    ),
    ignore_label=_IGNORE,
)


@final
class Cityscapes:
    """One split of Cityscapes: ``leftImg8bit/val`` with ``gtFine/val`` beside ``leftImg8bit``.

    Labels are ``*_gtFine_labelIds.png``, mapped to the 19 classes, or
    ``*_gtFine_labelTrainIds.png`` if an image has none of the former. 255 marks pixels that are not
    evaluated. The argument may also be one city, such as ``leftImg8bit/val/munster``.
    """

    name: ClassVar[str] = "cityscapes"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the images of the split given by the one argument; see `Reader.list`."""
        expected = "a split of Cityscapes such as cityscapes/leftImg8bit/val"
        split = require_single_path(arguments, labels, expected=expected)
        above = [folder for folder in split.parents if folder.name == _PICTURES]
        if not above:
            raise InputError(
                f"{arguments[0]}: expected {expected}, but it is in no folder {_PICTURES}: "
                "check the path."
            )
        truth = above[0].with_name(_LABELS) / split.relative_to(above[0])
        with listing_errors(arguments[0]):
            require(arguments[0], f"{expected}, with its labels in {_LABELS}", split, truth)
            images = [
                path
                for path in list_files(split, (".png",), deep=True)
                if path.name.endswith(_SUFFIX)
            ]
            if not images:
                raise InputError(
                    f"{arguments[0]}: expected pictures called *{_SUFFIX}, but there is none: "
                    "check the path."
                )
            found, label_encoding = _find_labels(images, split, truth)
        return Listing(pair_items(images, found), CLASSES, _IGNORE, label_encoding)


def _find_labels(
    images: Sequence[Path], split: Path, truth: Path
) -> tuple[Sequence[Path], LabelEncoding]:
    kinds: tuple[tuple[str, LabelEncoding], ...] = (
        ("labelIds", LABEL_IDS),
        ("labelTrainIds", INDEX),
    )
    for kind, label_encoding in kinds:
        labels = [
            truth
            / path.relative_to(split).with_name(
                f"{path.name.removesuffix(_SUFFIX)}_{_LABELS}_{kind}.png"
            )
            for path in images
        ]
        missing = [label for label in labels if not label.is_file()]
        if not missing:
            return labels, label_encoding
    raise InputError(
        f"{split}: expected *_labelIds.png or *_labelTrainIds.png for every picture, but there is "
        f"no {missing[0]}: add it, or leave its picture out."
    )
