"""Published data sets of images with a label map each. A new one is an entry of `PUBLISHED`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

from onnxcert.data.decoding import read_lines
from onnxcert.data.folder import list_files, list_images, listing_errors
from onnxcert.data.labels.encoding import INDEX, LabelEncoding, LabelMap, LookupTable
from onnxcert.data.listing import Item, Listing
from onnxcert.data.paths import absolute, name_items
from onnxcert.data.result_folders import ResultFolders
from onnxcert.errors import InputError

_IGNORE: Final = 255


def _split(names: str) -> tuple[str, ...]:
    return tuple(names.split(", "))


_CITYSCAPES: Final = _split(
    "road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, "
    "terrain, sky, person, rider, car, truck, bus, train, motorcycle, bicycle"
)
_VOC: Final = _split(
    "background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, dining table, "
    "dog, horse, motorbike, person, potted plant, sheep, sofa, train, tv/monitor"
)
_CONTEXT: Final = _split(
    "aeroplane, bag, bed, bedclothes, bench, bicycle, bird, boat, book, bottle, building, bus, "
    "cabinet, car, cat, ceiling, chair, cloth, computer, cow, cup, curtain, dog, door, fence, "
    "floor, flower, food, grass, ground, horse, keyboard, light, motorbike, mountain, mouse, "
    "person, plate, platform, potted plant, road, rock, sheep, shelves, sidewalk, sign, sky, "
    "snow, sofa, table, track, train, tree, truck, tv/monitor, wall, water, window, wood"
)
_ADE20K: Final = _split(
    "wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, "
    "person, earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, "
    "shelf, house, sea, mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, "
    "bathtub, railing, cushion, base, box, column, signboard, chest of drawers, counter, sand, "
    "sink, skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case, pool "
    "table, pillow, screen door, stairway, river, bridge, bookcase, blind, coffee table, toilet, "
    "flower, book, hill, bench, countertop, stove, palm, kitchen island, computer, swivel chair, "
    "boat, bar, arcade machine, hovel, bus, towel, light, truck, tower, chandelier, awning, "
    "streetlight, booth, television receiver, airplane, dirt track, apparel, pole, land, "
    "bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, conveyer "
    "belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall, tent, bag, "
    "minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal, bicycle, "
    "lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, "
    "ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, "
    "clock, flag"
)
# The labelIds of the classes of Cityscapes, in their order; all other ids are not evaluated.
_EVALUATED: Final = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def _map_labels(classes: Sequence[int], *others: int) -> LabelMap:
    """Return the map from `classes`, in order, to 0, 1, ..., and from `others` to unlabelled."""
    pairs = dict.fromkeys(others, _IGNORE) | {number: i for i, number in enumerate(classes)}
    return LabelMap(LookupTable.of(pairs), ignore_label=_IGNORE)


#: Published label maps, from numbers in files to classes.
LABEL_MAPS: Final[dict[str, LabelMap]] = {
    "cityscapes": _map_labels(_EVALUATED, -1, *range(34), 255),  # -1 or 255: licence plates
    "pascal-context-59": _map_labels(range(1, 60), 0, 255),  # 0 is the background
    "ade20k": _map_labels(range(1, 151), 0),  # 0 is any other object
}


@final
@dataclass(frozen=True)
class Published:
    """A published data set: where the images and label maps of a split are, and what they mean.

    Attributes:
        name: name of the data set.
        example: the path that selects a split, with its article.
        images: the folder of images; a split is a folder below it, or with `lists` a text file.
        labels: the folder of label maps beside `images`.
        class_names: names of the classes.
        encodings: ends of the names of label maps with their encoding; the first that all have.
        end: end of the names of images, in place of which label maps have theirs; empty if they
            differ only in their suffix.
        lists: the folder in ``ImageSets`` with the lists of the splits, as in Pascal VOC.
    """

    name: str
    example: str
    images: str
    labels: str
    class_names: tuple[str, ...]
    encodings: tuple[tuple[str, LabelEncoding], ...]
    end: str = ""
    lists: str = ""

    def list(self, arguments: Sequence[str], labels: str | None) -> Listing:
        """List the images of the split that the one argument gives; see `Reader.list`."""
        split = require_single_path(arguments, labels, expected=self.example)
        with listing_errors(arguments[0]):
            return (self._list_named if self.lists else self._list_below)(split)

    def _list_below(self, split: Path) -> Listing:
        """List the images in a folder: ``images/val`` with ``labels/val``."""
        # Only names with an end of their own allow folders within a split, such as cities.
        parents = split.parents if self.end else [split.parent]
        above = next((folder for folder in parents if folder.name == self.images), None)
        if above is None:
            raise InputError(
                f"{split}: expected {self.example}, but it is in no folder {self.images}: "
                "check the path."
            )
        truth = above.with_name(self.labels) / split.relative_to(above)
        require(split, f"{self.example}, with its labels in {self.labels}", split, truth)
        if not self.end:
            return self._describe(list_images([str(split)], str(truth)), self.encodings[0][1])
        results = ResultFolders()
        found = list_files(split, (Path(self.end).suffix,), deep=True, results=results)
        images = [path for path in found if path.name.endswith(self.end)]
        if not images:
            raise InputError(
                f"{split}: expected pictures called *{self.end}, but there is none: check the path."
            )
        for end, encoding in self.encodings:
            names = [path.name.removesuffix(self.end) + end for path in images]
            maps = [
                truth / path.relative_to(split).with_name(name)
                for path, name in zip(images, names, strict=True)
            ]
            missing = [path for path in maps if not path.is_file()]
            if not missing:
                return self._describe(_pair(images, maps, results), encoding)
        ends = " or ".join(f"*{end}" for end, _ in self.encodings)
        raise InputError(
            f"{split}: expected {ends} for every picture, but there is no {missing[0]}: add it, or "
            "leave its picture out."
        )

    def _list_named(self, split: Path) -> Listing:
        """List the images that the file ``ImageSets/<lists>/val.txt`` names."""
        if (split.parent.name, split.parent.parent.name) != (self.lists, "ImageSets"):
            raise InputError(
                f"{split}: expected {self.example}, but it is not in such a folder: check the path."
            )
        images, labels = split.parents[2] / self.images, split.parents[2] / self.labels
        require(split, self.example, images, labels, files=[split])
        lines = read_lines(split, "a UTF-8 text file with one picture name per line")
        names = list(dict.fromkeys(line for line in lines if line))
        if not names:
            raise InputError(f"{split}: expected names of pictures, but it has none: add them.")
        ends = [end for end, _ in self.encodings]
        return self._describe(
            _pair(
                [_find_file(split, images, name, [".jpg"]) for name in names],
                [_find_file(split, labels, name, ends) for name in names],
            ),
            self.encodings[0][1],
        )

    def _describe(self, listing: Listing, encoding: LabelEncoding) -> Listing:
        return replace(
            listing,
            class_names=self.class_names,
            ignore_label=_IGNORE,
            label_encoding=encoding,
        )


def _pair(
    images: Sequence[Path], labels: Sequence[Path], results: ResultFolders | None = None
) -> Listing:
    """Return one named item for each image and the label map at the same position."""
    items = map(Item, name_items(images), images, labels)
    return Listing(tuple(items), skipped_results=tuple(results.skipped if results else ()))


def _find_file(split: Path, folder: Path, name: str, suffixes: Sequence[str]) -> Path:
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


def require_single_path(arguments: Sequence[str], labels: str | None, *, expected: str) -> Path:
    """Return the one path that names a split of a data set with labels of its own.

    Links are not resolved: a split may be a link, and its labels lie beside the link.

    Args:
        arguments: see `Reader.list`.
        labels: see `Reader.list`.
        expected: the expected path, with its article and an example.

    Raises:
        InputError: there is not exactly one path, or labels are given as well.
    """
    if len(arguments) != 1:
        raise InputError(
            f"expected {expected}, but {len(arguments)} paths were given: give one, or leave "
            "--dataset out for your own pictures."
        )
    if labels is not None:
        raise InputError(
            f"expected the label maps that belong to {arguments[0]}, but --labels {labels} was "
            "given: leave it out, or read the pictures without --dataset."
        )
    return absolute(Path(arguments[0]))


def require(
    argument: str | Path, expected: str, *folders: Path, files: Sequence[Path] = ()
) -> None:
    """Raise InputError unless all `folders` and `files` exist.

    Args:
        argument: the path that the user gave.
        expected: the expected kind of path, with its article.
        folders: paths that must be folders.
        files: paths that must be files.
    """
    missing = [path for path in folders if not path.is_dir()]
    missing += [path for path in files if not path.is_file()]
    if missing:
        raise InputError(
            f"{argument}: expected {expected}, but there is no {missing[0]}: check the path."
        )


_CONTEXT_SPLIT: Final = Published(
    name="pascal-context",
    example="the list of a split such as VOC2010/ImageSets/SegmentationContext/val.txt",
    images="JPEGImages",
    labels="SegmentationClassContext",
    class_names=("background", *_CONTEXT),
    encodings=((".png", INDEX), (".tif", INDEX), (".tiff", INDEX)),
    lists="SegmentationContext",
)
PUBLISHED: Final = (
    Published(
        name="cityscapes",
        example="a split of Cityscapes such as cityscapes/leftImg8bit/val",
        images="leftImg8bit",
        labels="gtFine",
        class_names=_CITYSCAPES,
        encodings=(
            ("_gtFine_labelIds.png", LABEL_MAPS["cityscapes"]),
            ("_gtFine_labelTrainIds.png", INDEX),
        ),
        end="_leftImg8bit.png",
    ),
    Published(
        name="pascal-voc",
        example="the list of a split such as VOC2012/ImageSets/Segmentation/val.txt",
        images="JPEGImages",
        labels="SegmentationClass",
        class_names=_VOC,
        encodings=((".png", INDEX),),
        lists="Segmentation",
    ),
    _CONTEXT_SPLIT,
    replace(
        _CONTEXT_SPLIT,
        name="pascal-context-59",
        class_names=_CONTEXT,
        encodings=tuple(
            (end, LABEL_MAPS["pascal-context-59"]) for end, _ in _CONTEXT_SPLIT.encodings
        ),
    ),
    Published(
        name="ade20k",
        example="a split of ADE20K such as ADEChallengeData2016/images/validation",
        images="images",
        labels="annotations",
        class_names=_ADE20K,
        encodings=((".png", LABEL_MAPS["ade20k"]),),
    ),
)
