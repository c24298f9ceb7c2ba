"""The label convention that the command line names, put in place of a plain folder's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from onnxcert.errors import ParameterError
from onnxcert.inputs.coding import INDEX
from onnxcert.inputs.datasets import ade20k, cityscapes, pascal_context
from onnxcert.inputs.label_map import LabelMap, read_label_map
from onnxcert.inputs.listing import Listing
from onnxcert.inputs.palette import read_palette

LABEL_MAPS: Final[dict[str, LabelMap]] = {
    "cityscapes": cityscapes.LABEL_IDS,
    "pascal-context-59": pascal_context.WITHOUT_BACKGROUND,
    "ade20k": ade20k.WITHOUT_OTHER,
}


def with_coding(
    listing: Listing,
    *,
    palette: str | Path | None,
    label_map: str | Path | None,
    ignore_label: int | None = None,
) -> Listing:
    """`listing` with its labels read by a palette or a label map; itself where neither is given.

    A palette brings the names of its classes, and a published label map its ignore label, where
    the listing has none.

    Args:
        listing: with labels, and without a coding of its own.
        palette: the file of a palette.
        label_map: a name in `LABEL_MAPS`, or the file of a label map.
        ignore_label: the class of unlabelled pixels, where it is not the listing's.

    Raises:
        ParameterError: both are given, labels are missing or have a coding already, or there is
            no such label map.
        InputError: the file cannot be used.
    """
    if palette is None and label_map is None:
        return listing
    flag = "--palette" if label_map is None else "--label-map"
    if palette is not None and label_map is not None:
        raise ParameterError(
            "expected --palette for labels in colours or --label-map for numbers, but both came: "
            "leave one out."
        )
    if not any(item.label for item in listing.items):
        raise ParameterError(f"expected labels to read by {flag}, but none came: give --labels.")
    if any(item.class_label for item in listing.items):
        raise ParameterError(
            f"expected label maps to read by {flag}, but the labels name one class for each whole "
            f"picture: leave {flag} out."
        )
    if listing.coding != INDEX:
        raise ParameterError(
            f"expected {flag} with plain pictures only, but this data set says itself what its "
            f"labels mean: leave {flag} out, or read pictures and --labels without --dataset."
        )
    if palette is not None:
        colours = read_palette(Path(palette))
        unlabelled = listing.ignore_label if ignore_label is None else ignore_label
        names = listing.class_names or colours.class_names(unlabelled)
        return replace(listing, coding=colours, class_names=names)
    named = str(label_map)
    if named not in LABEL_MAPS and not Path(named).exists():
        raise ParameterError(
            f"expected --label-map to be one of {', '.join(LABEL_MAPS)} or a file, but there is "
            f"no {named!r}: check its name."
        )
    coding = LABEL_MAPS.get(named) or read_label_map(Path(named))
    ignore = coding.ignore_label if listing.ignore_label is None else listing.ignore_label
    return replace(listing, coding=coding, ignore_label=ignore)
