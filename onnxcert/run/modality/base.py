"""The interface of a modality, as a run uses it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from onnxcert._typing import IntArray
from onnxcert.data import Item
from onnxcert.results import Record


class Modality(Protocol):
    """The inputs of one listing, of one modality.

    `read` returns a prepared input: what is certified, and what is needed to draw it. The model's
    `declared` converts it to the array that is perturbed.
    """

    def usable(self) -> tuple[dict[Item, int], dict[str, str]]:
        """Return usable inputs -> number of pixels or points, and unusable names -> reason.

        Raises:
            InputError: ground truth does not fit its input.
        """
        ...

    def read(self, item: Item) -> Any:
        """Return the prepared input.

        Raises:
            InputError: the input cannot be read.
        """
        ...

    def truth(
        self, item: Item, prepared: Any, *, classes: int, names: Sequence[str]
    ) -> IntArray | None:
        """Return the true classes of the components, or None without ground truth.

        Raises:
            InputError: the ground truth cannot be read or does not fit.
        """
        ...

    def notes(self, prepared: Any) -> tuple[str, ...]:
        """Return remarks about the input for the reader of its result."""
        ...

    def category(self, prepared: Any) -> str:
        """Return the category of the input, for metrics by category; empty if unknown."""
        ...

    def has_labels(self, folder: Path, name: str) -> bool:
        """Return whether the label files of a result exist in `folder`."""
        ...

    def draw(
        self,
        folder: Path,
        record: Record,
        prepared: Any,
        truth: IntArray | None,
        names: Sequence[str],
    ) -> None:
        """Write the figure of one result to `folder`."""
        ...
