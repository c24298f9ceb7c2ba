"""One class for a whole picture, as somebody wrote it down, and which class of a model it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from onnxcert.errors import InputError

_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True)
class ClassLabel:
    """The class of a picture as somebody wrote it down.

    Attributes:
        text: the name of a class, or its index.
        source: where it is written, for messages.
        folders: where folders are classes, the names of all of them, sorted.
    """

    text: str
    source: str
    folders: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def index(self, names: Sequence[str], *, classes: int, ignore_label: int | None) -> int:
        """The index of the class, 0 .. classes - 1, or `ignore_label`.

        A name of the model counts before a number. Folders of which none is called like a class
        count in the order of their names, as torchvision's ImageFolder has them, if there is one
        for each class.

        Args:
            names: of the model's classes.
            classes: how many there are.
            ignore_label: index of pictures that do not count, or None.

        Raises:
            InputError: it is no class, or may be two.
        """
        named = names.index(self.text) if self.text in names else None
        number = int(self.text) if _NUMBER.fullmatch(self.text) else None
        if named is not None:
            if number not in (None, named) and 0 <= number < classes:
                raise self._two(number, named, "the name of class")
            return named
        place = self._place(names, classes)
        if number is not None and (0 <= number < classes or number == ignore_label):
            if place not in (None, number):
                raise self._two(number, place, "in the order of the folders class")
            return number
        if place is not None:
            return place
        raise InputError(
            f"{self.source}: expected the name of a class or an index from 0 to {classes - 1}, but "
            f"it is {self.text[:60]!r}: {self._way_out(number, classes)}."
        )

    def _place(self, names: Sequence[str], classes: int) -> int | None:
        """Place of the folder among all, if that tells the class."""
        if len(self.folders) != classes or not set(self.folders).isdisjoint(names):
            return None
        return self.folders.index(self.text)

    def _two(self, number: int | None, other: int | None, what: str) -> InputError:
        return InputError(
            f"{self.source}: expected one meaning, but {self.text!r} may be class {number} or "
            f"{what} {other}: write names of classes that are no numbers."
        )

    def _way_out(self, number: int | None, classes: int) -> str:
        if number is not None:
            return f"if it marks pictures that do not count, pass --ignore-label {number}"
        if self.folders:
            return (
                f"{len(self.folders)} folders tell {classes} classes only by their names; call "
                "them like the classes and pass --class-names FILE"
            )
        return "pass --class-names FILE with the names of the model's classes"
