"""The label encoding given on the command line for images without a data set of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from onnxcert.data.datasets import ade20k, cityscapes
from onnxcert.data.datasets import pascal as pascal_context
from onnxcert.data.labels.encoding import INDEX, LabelMap, read_label_map
from onnxcert.data.labels.palette import read_palette
from onnxcert.data.listing import Listing
from onnxcert.errors import ParameterError

LABEL_MAPS: Final[dict[str, LabelMap]] = {
    "cityscapes": cityscapes.LABEL_IDS,
    "pascal-context-59": pascal_context.WITHOUT_BACKGROUND,
    "ade20k": ade20k.WITHOUT_OTHER,
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
