"""Label encodings: the meaning of the values in a label file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, final

import numpy.typing as npt


class LabelEncoding(Protocol):
    """A label encoding: how the pixels of a label file encode classes.

    Attributes:
        colours: read the file as 24-bit colours, r << 16 | g << 8 | b, instead of numbers.
    """

    colours: ClassVar[bool]

    @property
    def key(self) -> str:
        """Identifier of the encoding in stored results; equal encodings have equal keys."""
        ...

    def decode(self, path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the class of each pixel.

        Args:
            path: the label file, for messages.
            values: integers [H, W].

        Returns:
            Integers [H, W]. The caller checks that they are classes of the model.

        Raises:
            InputError: a value has no meaning in this encoding.
        """
        ...


@final
@dataclass(frozen=True)
class Index:
    """The identity encoding: the number in the file is the class."""

    colours: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """See `LabelEncoding.key`."""
        return "index"

    def decode(self, path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:  # noqa: ARG002
        """Return `values` unchanged."""
        return values


#: The identity encoding, for label files that hold class indices.
INDEX: Final = Index()
