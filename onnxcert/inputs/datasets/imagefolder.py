"""Pictures of one class each in a folder of that class, as ImageNet is laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from onnxcert.errors import InputError
from onnxcert.inputs.class_labels import ClassLabel
from onnxcert.inputs.datasets.layout import only_argument
from onnxcert.inputs.folder import files, listing_errors
from onnxcert.inputs.listing import Item, Listing, absolute, name_items
from onnxcert.inputs.pictures import image
from onnxcert.inputs.result_folders import ResultFolders


@final
class ImageFolder:
    """A folder of folders, one for each class: ``photos/cat/1.jpg``, ``photos/dog/7.jpg``.

    A picture has the class that its folder is called by. Where the folders are called otherwise
    than the model's classes and there is one for each, they count in the order of their names, as
    torchvision's ``ImageFolder`` has it.
    """

    name: ClassVar[str] = "imagefolder"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the pictures below the one folder named; see `Reader.list`."""
        expected = "a folder that holds one folder of pictures for each class"
        top = only_argument(arguments, labels, expected=expected)
        with listing_errors(str(top)):
            folders = sorted(
                path for path in top.iterdir() if path.is_dir() and not path.name.startswith(".")
            )
            found, results = {}, ResultFolders()
            for path in folders:
                before = results.times
                here = not results.met(absolute(path))
                below = files(path, image.SUFFIXES, deep=True, results=results) if here else []
                if below or results.times == before:  # a folder of results is no class
                    found[path] = below
        names = tuple(path.name for path in found)
        pairs = [(picture, folder) for folder, below in found.items() for picture in below]
        if not pairs:
            raise InputError(f"{top}: expected {expected}, but there is none: check the path.")
        called = name_items([picture for picture, _ in pairs])
        return Listing(
            tuple(
                Item(name, picture, folder, ClassLabel(folder.name, str(folder), names))
                for name, (picture, folder) in zip(called, pairs, strict=True)
            )
        )
