"""Readers of data sets of images, by the name that `--dataset` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from onnxcert.data.folder import list_files, list_images, listing_errors
from onnxcert.data.images import image
from onnxcert.data.labels.classes import ClassLabel
from onnxcert.data.labels.encoding import INDEX, read_label_map, read_palette
from onnxcert.data.labels.mask import read_class_names
from onnxcert.data.listing import Item, Listing, Reader
from onnxcert.data.paths import absolute, name_items
from onnxcert.data.published import LABEL_MAPS, PUBLISHED, require, require_single_path
from onnxcert.data.result_folders import ResultFolders
from onnxcert.errors import InputError, ParameterError


def list_camvid(arguments: Sequence[str], labels: str | None) -> Listing:
    """List one split of CamVid: ``test`` beside ``testannot`` and ``classes.txt``.

    The layout is that of the SegNet tutorial, in which index 11 marks unlabelled pixels.
    """
    expected = "the pictures of a CamVid split such as camvid/test"
    split = require_single_path(arguments, labels, expected=expected)
    annotations, classes = split.parent / f"{split.name}annot", split.parent / "classes.txt"
    beside = f"{expected}, with its label maps in {annotations.name}/ and classes.txt beside it"
    with listing_errors(arguments[0]):
        require(arguments[0], beside, split, annotations, files=[classes])
    names = read_class_names(classes)
    if len(names) != 11:
        raise InputError(
            f"{classes}: expected the 11 class names of CamVid, but it has {len(names)}: fix the "
            "file, or read the pictures without --dataset."
        )
    return replace(list_images([str(split)], str(annotations)), class_names=names, ignore_label=11)


def list_class_folders(arguments: Sequence[str], labels: str | None) -> Listing:
    """List a folder with one subfolder per class: ``photos/cat/1.jpg``, ``photos/dog/7.jpg``.

    The class of an image is the name of its folder. If no folder has the name of a class and there
    is one folder for each class, classes are numbered in the sorted order of the folder names, as
    in torchvision's ``ImageFolder``.
    """
    expected = "a folder that holds one folder of pictures for each class"
    top = require_single_path(arguments, labels, expected=expected)
    found, results = {}, ResultFolders()
    with listing_errors(str(top)):
        for path in sorted(top.iterdir()):
            if not path.is_dir() or path.name.startswith("."):
                continue
            before = results.encounters
            here = not results.check(absolute(path))
            below = list_files(path, image.SUFFIXES, deep=True, results=results) if here else []
            if below or results.encounters == before:  # a result folder is not a class
                found[path] = below
    pairs = [(file, folder) for folder, below in found.items() for file in below]
    if not pairs:
        raise InputError(f"{top}: expected {expected}, but it holds no picture: check the path.")
    names, classes = name_items([file for file, _ in pairs]), tuple(path.name for path in found)
    items = (
        Item(name, file, folder, ClassLabel(folder.name, str(folder), classes))
        for name, (file, folder) in zip(names, pairs, strict=True)
    )
    return Listing(tuple(items), skipped_results=tuple(results.skipped))


READERS: Final[dict[str, Reader]] = {
    reader.name: reader
    for reader in (
        Reader("folder", list_images),
        Reader("imagefolder", list_class_folders),
        Reader("camvid", list_camvid),
        *(Reader(one.name, one.list) for one in PUBLISHED),
    )
}


def apply_label_encoding(
    listing: Listing,
    *,
    palette: str | Path | None,
    label_map: str | Path | None,
    ignore_label: int | None = None,
) -> Listing:
    """Return `listing` with the encoding of a palette or label map; unchanged if neither is given.

    A palette also supplies class names, and a published label map an ignore label, if the listing
    has none.

    Args:
        listing: a listing with labels in the identity encoding.
        palette: the palette file.
        label_map: a name in `LABEL_MAPS`, or the file of a label map.
        ignore_label: index of unlabelled pixels, if the listing has none.

    Raises:
        ParameterError: both are given, the listing has no labels or another encoding, or there is
            no such label map.
        InputError: the file cannot be used.
    """
    if palette is None and label_map is None:
        return listing
    flag = "--palette" if label_map is None else "--label-map"
    if palette is not None and label_map is not None:
        raise ParameterError(
            "expected --palette for labels in colours or --label-map for numbers, but both were "
            "given: leave one out."
        )
    if not any(item.label for item in listing.items):
        raise ParameterError(
            f"expected labels to read by {flag}, but there are none: give --labels."
        )
    if any(item.class_label for item in listing.items):
        raise ParameterError(
            f"expected label maps to read by {flag}, but the labels give one class for each "
            f"picture: leave {flag} out."
        )
    if listing.label_encoding != INDEX:
        raise ParameterError(
            f"expected {flag} without --dataset only, but this data set defines its own label "
            f"encoding: leave {flag} out, or read pictures and --labels without --dataset."
        )
    if palette is not None:
        colours = read_palette(Path(palette))
        unlabelled = listing.ignore_label if ignore_label is None else ignore_label
        names = listing.class_names or colours.class_names(unlabelled)
        return replace(listing, label_encoding=colours, class_names=names)
    named = str(label_map)
    if named not in LABEL_MAPS and not Path(named).exists():
        raise ParameterError(
            f"expected --label-map to be one of {', '.join(LABEL_MAPS)} or a file, but there is "
            f"no {named!r}: check its name."
        )
    label_encoding = LABEL_MAPS.get(named) or read_label_map(Path(named))
    ignore = label_encoding.ignore_label if listing.ignore_label is None else listing.ignore_label
    return replace(listing, label_encoding=label_encoding, ignore_label=ignore)
