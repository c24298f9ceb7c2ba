"""The CamVid street scenes in the 11-class layout of the SegNet tutorial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, final

from onnxcert.data.folder import Folder
from onnxcert.data.labels.mask import read_class_names
from onnxcert.data.listing import Listing, absolute
from onnxcert.errors import InputError

_CLASSES: Final = 11


@final
class CamVid:
    """One split of CamVid: ``test`` next to ``testannot`` and ``classes.txt``.

    Index 11 marks unlabelled pixels.
    """

    name: ClassVar[str] = "camvid"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the images of the split given by the one argument; see `Reader.list`."""
        if len(arguments) != 1:
            raise InputError(
                "expected one folder, the pictures of a CamVid split such as camvid/test, "
                f"but {len(arguments)} were given: give one."
            )
        if labels is not None:
            raise InputError(
                f"expected the label maps next to the CamVid split, but --labels {labels} was "
                "given: leave it out, or read the pictures without --dataset."
            )
        # Do not resolve links: a split may be a link, and its labels lie next to the link.
        split = absolute(Path(arguments[0]))
        annotations = split.with_name(f"{split.name}annot")
        classes = split.with_name("classes.txt")
        for path, there in (
            (split, split.is_dir()),
            (annotations, annotations.is_dir()),
            (classes, classes.is_file()),
        ):
            if not there:
                raise InputError(
                    f"{arguments[0]}: expected a CamVid split, with its label maps in "
                    f"{annotations.name}/ and its class names in classes.txt beside it, "
                    f"but there is no {path}: check the path."
                )
        names = read_class_names(classes)
        if len(names) != _CLASSES:
            raise InputError(
                f"{classes}: expected the {_CLASSES} class names of CamVid, but it has "
                f"{len(names)}: fix the file, or read the pictures without --dataset."
            )
        listing = Folder.list([str(split)], str(annotations))
        return replace(listing, class_names=names, ignore_label=_CLASSES)
