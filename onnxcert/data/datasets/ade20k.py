"""ADE20K of the 2016 scene parsing challenge, 150 classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Final, final

from onnxcert.data.datasets.layout import require, require_single_path
from onnxcert.data.folder import Folder
from onnxcert.data.labels.encoding import LabelMap, LookupTable
from onnxcert.data.listing import Listing
from onnxcert.errors import InputError

_IGNORE: Final = 255

CLASSES: Final = (
    *("wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane"),
    *("grass", "cabinet", "sidewalk", "person", "earth", "door", "table", "mountain", "plant"),
    *("curtain", "chair", "car", "water", "painting", "sofa", "shelf", "house", "sea", "mirror"),
    *("rug", "field", "armchair", "seat", "fence", "desk", "rock", "wardrobe", "lamp", "bathtub"),
    *("railing", "cushion", "base", "box", "column", "signboard", "chest of drawers", "counter"),
    *("sand", "sink", "skyscraper", "fireplace", "refrigerator", "grandstand", "path", "stairs"),
    *("runway", "case", "pool table", "pillow", "screen door", "stairway", "river", "bridge"),
    *("bookcase", "blind", "coffee table", "toilet", "flower", "book", "hill", "bench"),
    *("countertop", "stove", "palm", "kitchen island", "computer", "swivel chair", "boat", "bar"),
    *("arcade machine", "hovel", "bus", "towel", "light", "truck", "tower", "chandelier"),
    *("awning", "streetlight", "booth", "television receiver", "airplane", "dirt track"),
    *("apparel", "pole", "land", "bannister", "escalator", "ottoman", "bottle", "buffet"),
    *("poster", "stage", "van", "ship", "fountain", "conveyer belt", "canopy", "washer"),
    *("plaything", "swimming pool", "stool", "barrel", "basket", "waterfall", "tent", "bag"),
    *("minibike", "cradle", "oven", "ball", "food", "step", "tank", "trade name", "microwave"),
    *("pot", "animal", "bicycle", "lake", "dishwasher", "screen", "blanket", "sculpture", "hood"),
    *("sconce", "vase", "traffic light", "tray", "ashcan", "fan", "pier", "crt screen", "plate"),
    *("monitor", "bulletin board", "shower", "radiator", "glass", "clock", "flag"),
)

#: From the numbers in the files, where 0 is any other object, to the 150 classes.
WITHOUT_OTHER: Final = LabelMap(
    LookupTable.of({0: _IGNORE, **{i + 1: i for i in range(len(CLASSES))}}), ignore_label=_IGNORE
)


@final
class ADE20K:
    """One split of ADE20K: ``images/validation`` with ``annotations/validation``.

    The files number classes from 1, and 0 is any other object: class k becomes k - 1, and 0 becomes
    255, unlabelled.
    """

    name: ClassVar[str] = "ade20k"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the images of the split given by the one argument; see `Reader.list`."""
        expected = "a split of ADE20K such as ADEChallengeData2016/images/validation"
        split = require_single_path(arguments, labels, expected=expected)
        if split.parent.name != "images":
            raise InputError(
                f"{arguments[0]}: expected {expected}, but it is in no folder images: "
                "check the path."
            )
        annotations = split.parent.with_name("annotations") / split.name
        require(arguments[0], f"{expected}, with its labels in annotations", split, annotations)
        listing = Folder.list([str(split)], str(annotations))
        return replace(
            listing, class_names=CLASSES, ignore_label=_IGNORE, label_encoding=WITHOUT_OTHER
        )
