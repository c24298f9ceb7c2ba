"""Point clouds in files and folders, with labels in them or in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, final

from onnxcert.errors import InputError
from onnxcert.inputs.clouds import point_labels, reading
from onnxcert.inputs.clouds.shapenet import CATEGORY_TABLE
from onnxcert.inputs.folder import Files, list_items
from onnxcert.inputs.listing import Item, Listing, name_items

CLOUDS: Final = Files(
    one="point cloud",
    many="point clouds",
    suffixes=reading.SUFFIXES,
    formats=".npy, .npz, .txt, .pts, .xyz, .ply or .h5",
    label="label file",
    label_suffixes=point_labels.SUFFIXES,
    label_formats=".npy, .txt or .seg",
    # A .txt holds the labels of one cloud.
    tables=(".csv", ".tsv"),
)


@final
class CloudFolder:
    """Any point clouds: files, folders and patterns, as `Folder` has them for pictures.

    A file that holds several shapes stands for each of them, called by its place in the file.

    `labels` is a folder that holds, for each cloud, one `.npy`, `.txt` or `.seg` file of the same
    stem, or one such file, for one cloud; or, for a classifier, a table of lines ``cloud,class``
    (.csv, .tsv). Without it, labels are those in the files of the clouds, where they have any.
    """

    name: ClassVar[str] = "clouds"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the clouds that `arguments` name, with their labels; see `Reader.list`."""
        for argument in arguments:
            if (Path(argument) / CATEGORY_TABLE).is_file():
                raise InputError(
                    f"{argument}: expected point clouds, but it is laid out as ShapeNet's parts "
                    "are; pass --dataset shapenet-part."
                )
        listing = list_items(arguments, labels, CLOUDS)
        items = [one for item in listing.items for one in _shapes(item)]
        # A file of several shapes counts as a folder of them, so that no name comes twice.
        names = name_items([_place(item) for item in items])
        named = (replace(item, name=name) for item, name in zip(items, names, strict=True))
        return replace(listing, items=tuple(named))


def _shapes(item: Item) -> Iterator[Item]:
    try:
        shapes = reading.cloud_shapes(item.path)
    except InputError:
        # Its turn comes, and then its failure is reported with the run.
        shapes = None
    if shapes is None:
        yield item
        return
    if item.label is not None:
        raise InputError(
            f"{item.path}: expected labels in the file, as it holds {shapes:,} shapes, but "
            "--labels was given: leave it out, or save each shape in a file of its own."
        )
    yield from (replace(item, index=index) for index in range(shapes))


def _place(item: Item) -> Path:
    if item.index is None:
        return item.path
    return item.path / f"{item.path.stem}-{item.index:04}{item.path.suffix}"
