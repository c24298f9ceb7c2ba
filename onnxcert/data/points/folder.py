"""Point clouds in files and folders, with labels in the same files or in a separate folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from onnxcert.data.folder import InputKind, list_items
from onnxcert.data.listing import Item, Listing
from onnxcert.data.paths import name_items
from onnxcert.data.points import reading
from onnxcert.data.points.shapenet import CATEGORY_TABLE
from onnxcert.errors import InputError

POINT_CLOUDS: Final = InputKind(
    singular="point cloud",
    plural="point clouds",
    suffixes=reading.SUFFIXES,
    formats=".npy, .npz, .txt, .pts, .xyz, .ply or .h5",
    label="label file",
    label_suffixes=reading.LABEL_SUFFIXES,
    label_formats=".npy, .txt or .seg",
    # No .txt: it holds the point labels of one point cloud.
    tables=(".csv", ".tsv"),
)


def list_clouds(arguments: Sequence[str], labels: str | None) -> Listing:
    """List point clouds from files, folders and patterns, as `list_images` lists images.

    A file with several shapes gives one input per shape, named by its position in the file.

    `labels` is one of: a folder with one `.npy`, `.txt` or `.seg` file of the same stem for each
    point cloud; one such file, for a single point cloud; or, for a classifier, a table of lines
    ``cloud,class`` (.csv, .tsv). Without it, labels are read from the point cloud files, if they
    have any.
    """
    for argument in arguments:
        if (Path(argument) / CATEGORY_TABLE).is_file():
            raise InputError(
                f"{argument}: expected point clouds, but it has the layout of the ShapeNet "
                "part benchmark: pass --dataset shapenet-part."
            )
    listing = list_items(arguments, labels, POINT_CLOUDS)
    items = [one for item in listing.items for one in _expand_shapes(item)]
    # A file of several shapes counts as a folder of them, which makes the names unique.
    names = name_items([_shape_path(item) for item in items])
    named = (replace(item, name=name) for item, name in zip(items, names, strict=True))
    return replace(listing, items=tuple(named))


def _expand_shapes(item: Item) -> Iterator[Item]:
    try:
        shapes = reading.count_shapes(item.path)
    except InputError:
        # The run reports the error when it reaches this file.
        shapes = None
    if shapes is None:
        yield item
        return
    if item.label is not None:
        raise InputError(
            f"{item.path}: expected labels in the file, as it holds {shapes:,} shapes, but "
            "--labels was given: leave it out, or save each shape in its own file."
        )
    yield from (replace(item, index=index) for index in range(shapes))


def _shape_path(item: Item) -> Path:
    if item.index is None:
        return item.path
    return item.path / f"{item.path.stem}-{item.index:04}{item.path.suffix}"
