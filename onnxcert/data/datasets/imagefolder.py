"""Images in one folder per class, the layout of ImageNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from onnxcert.data.datasets.layout import require_single_path
from onnxcert.data.folder import list_files, listing_errors
from onnxcert.data.images import image
from onnxcert.data.labels.class_label import ClassLabel
from onnxcert.data.listing import Item, Listing, absolute, name_items
from onnxcert.data.result_folders import ResultFolders
from onnxcert.errors import InputError


@final
class ImageFolder:
    """A folder with one subfolder per class: ``photos/cat/1.jpg``, ``photos/dog/7.jpg``.

    The class of an image is the name of its folder. If no folder has the name of a class and there
    is one folder for each class, classes are numbered in the sorted order of the folder names, as
    in torchvision's ``ImageFolder``.
    """

    name: ClassVar[str] = "imagefolder"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the images below the one given folder; see `Reader.list`."""
        expected = "a folder that holds one folder of pictures for each class"
        top = require_single_path(arguments, labels, expected=expected)
        with listing_errors(str(top)):
            folders = sorted(
                path for path in top.iterdir() if path.is_dir() and not path.name.startswith(".")
            )
            found, results = {}, ResultFolders()
            for path in folders:
                before = results.encounters
                here = not results.check(absolute(path))
                below = list_files(path, image.SUFFIXES, deep=True, results=results) if here else []
                if below or results.encounters == before:  # a result folder is not a class
                    found[path] = below
        names = tuple(path.name for path in found)
        pairs = [(file, folder) for folder, below in found.items() for file in below]
        if not pairs:
            raise InputError(
                f"{top}: expected {expected}, but it holds no picture: check the path."
            )
        called = name_items([file for file, _ in pairs])
        return Listing(
            tuple(
                Item(name, file, folder, ClassLabel(folder.name, str(folder), names))
                for name, (file, folder) in zip(called, pairs, strict=True)
            )
        )
