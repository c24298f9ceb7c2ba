"""What a run asks of a kind of input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from onnxcert._typing import IntArray
from onnxcert.inputs import Item
from onnxcert.store import Record


class Medium(Protocol):
    """One kind of input, for the inputs of one listing.

    What `read` returns is a prepared input: just what is certified, with what is needed to draw
    it; the model's `declared` makes the array of it that is perturbed.
    """

    def usable(self) -> tuple[dict[Item, int], dict[str, str]]:
        """Each input that can be opened with the number of its parts (pixels, points), and why
        the others, by name, cannot.

        Raises:
            InputError: labels do not fit their inputs.
        """
        ...

    def read(self, item: Item) -> Any:
        """The input, prepared.

        Raises:
            InputError: it cannot be read.
        """
        ...

    def truth(
        self, item: Item, prepared: Any, *, classes: int, names: Sequence[str]
    ) -> IntArray | None:
        """True classes of its components, or None where nobody gave any.

        Raises:
            InputError: they cannot be read or do not fit.
        """
        ...

    def notes(self, prepared: Any) -> tuple[str, ...]:
        """What the reader of its result must know about the input, in sentences."""
        ...

    def category(self, prepared: Any) -> str:
        """What the whole input is called, for metrics by category; empty where nobody said."""
        ...

    def has_labels(self, folder: Path, name: str) -> bool:
        """Whether the label files of a result are there below `folder`."""
        ...

    def draw(
        self,
        folder: Path,
        record: Record,
        prepared: Any,
        truth: IntArray | None,
        names: Sequence[str],
    ) -> None:
        """Write the picture of one result below `folder`."""
        ...
