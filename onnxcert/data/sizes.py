"""Check which images can be opened, and whether their label maps have the same size."""

from __future__ import annotations

from collections.abc import Sequence

from onnxcert.data.images.image import open_image_file
from onnxcert.data.labels.mask import read_label_size
from onnxcert.data.listing import Item, Listing
from onnxcert.errors import InputError, refuse_too_many_files


def read_usable_sizes(
    listing: Listing, bands: Sequence[str] = ()
) -> tuple[dict[Item, tuple[int, int]], dict[str, str]]:
    """Return (height, width) of each readable image, and the errors of the others by name.

    Args:
        listing: the images.
        bands: see `onnxcert.data.images.image.read_image`.

    Raises:
        InputError: a label map cannot be opened, or its size differs from its image.
    """
    sizes: dict[Item, tuple[int, int]] = {}
    unreadable: dict[str, str] = {}
    for item in listing.items:
        try:
            with open_image_file(item.path, bands) as opened:
                size = opened.size
        except InputError as error:
            refuse_too_many_files(item.path, error)
            unreadable[item.name] = str(error)
            continue
        if item.label is not None and item.class_label is None:
            labelled = read_label_size(item.label, label_encoding=listing.label_encoding)
            if labelled != size:
                way_out = "give labels of the same size"
                if opened.rotated and labelled == size[::-1]:
                    way_out = (
                        "the picture is rotated by its EXIF orientation and the labels are not, "
                        "so rotate them as well"
                    )
                raise InputError(
                    f"labels must have the size of their picture, but {item.label} has "
                    f"{labelled[0]}x{labelled[1]} pixels and {item.path} has {size[0]}x{size[1]}; "
                    f"{way_out}."
                )
        sizes[item] = size
    return sizes, unreadable
