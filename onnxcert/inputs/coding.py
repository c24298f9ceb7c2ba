"""What the values in a label file mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, final

import numpy.typing as npt


class LabelCoding(Protocol):
    """A way to write classes into the pixels of a label file.

    Attributes:
        colours: the file is read as 24-bit colours, r << 16 | g << 8 | b, and not as numbers.
    """

    colours: ClassVar[bool]

    @property
    def key(self) -> str:
        """Tells codings apart in a stored result; equal codings have equal keys."""
        ...

    def indices(self, path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The class of each pixel.

        Args:
            path: where the values come from, for messages.
            values: integers [H, W].

        Returns:
            integers [H, W]; whether they are classes of the model is not checked here.

        Raises:
            InputError: a value has no meaning in this coding.
        """
        ...


@final
@dataclass(frozen=True)
class Index:
    """The number in the file is the class."""

    colours: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """See `LabelCoding.key`."""
        return "index"

    def indices(self, path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:  # noqa: ARG002
        """The values themselves."""
        return values


#: The coding of label files that need none.
INDEX: Final = Index()
