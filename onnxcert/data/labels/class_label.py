"""The class label of a whole image, and its index among the classes of a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from onnxcert.errors import InputError

_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True)
class ClassLabel:
    """The class of an image as a label file or folder gives it.

    Attributes:
        text: name or index of the class.
        source: where it is written, for messages.
        folders: names of all class folders, sorted, where each folder is a class.
    """

    text: str
    source: str
    folders: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def index(self, names: Sequence[str], *, classes: int, ignore_label: int | None) -> int:
        """Return the index of the class: 0 .. classes - 1, or `ignore_label`.

        A class name of the model takes precedence over a number. If no folder has the name of a
        class and there is one folder for each class, a folder's index is its position in sorted
        order, as in torchvision's ImageFolder.

        Args:
            names: names of the model's classes.
            classes: number of classes.
            ignore_label: index of images that are not evaluated, or None.

        Raises:
            InputError: the label is not a class, or could mean two classes.
        """
        named = names.index(self.text) if self.text in names else None
        number = int(self.text) if _NUMBER.fullmatch(self.text) else None
        if named is not None:
            if number not in (None, named) and 0 <= number < classes:
                raise self._ambiguity_error(number, named, "the name of class")
            return named
        place = self._folder_index(names, classes)
        if number is not None and (0 <= number < classes or number == ignore_label):
            if place not in (None, number):
                raise self._ambiguity_error(number, place, "in the order of the folders class")
            return number
        if place is not None:
            return place
        raise InputError(
            f"{self.source}: expected the name of a class or an index from 0 to {classes - 1}, but "
            f"it is {self.text[:60]!r}: {self._suggest_fix(number, classes)}."
        )

    def _folder_index(self, names: Sequence[str], classes: int) -> int | None:
        """Return the position of the folder in sorted order, None if it does not give the class."""
        if len(self.folders) != classes or not set(self.folders).isdisjoint(names):
            return None
        return self.folders.index(self.text)

    def _ambiguity_error(self, number: int | None, other: int | None, what: str) -> InputError:
        return InputError(
            f"{self.source}: expected one meaning, but {self.text!r} may be class {number} or "
            f"{what} {other}: use class names that are not numbers."
        )

    def _suggest_fix(self, number: int | None, classes: int) -> str:
        if number is not None:
            return f"if it marks unlabelled pictures, pass --ignore-label {number}"
        if self.folders:
            return (
                f"{len(self.folders)} folders match {classes} classes only by name; rename the "
                "folders like the classes and pass --class-names FILE"
            )
        return "pass --class-names FILE with the names of the model's classes"
