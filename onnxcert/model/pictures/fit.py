"""How a picture is brought to a size that the network takes, and its answer back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from onnxcert.errors import ParameterError

Grid = Literal["native", "model"]


@dataclass(frozen=True)
class Fit:
    """The way from a picture's own size to the network's, and back.

    Noise is added before any of it and R is in the unit of the picture as it is: all of this is
    part of the function that is certified.

    Args:
        scale: the network sees the picture resized by this factor.
        size: the network sees every picture at this (height, width); excludes `scale`.
        pad_to: the resized picture is continued at the bottom and right, by repeating its last
            row and column, until both sides are multiples of this; scores there are cut off.
        grid: `native`: scores are brought back to the picture's own size before the vote, and its
            pixels are the components; `model`: the components are the cells of the model's output.

    Raises:
        ParameterError: a value is out of range, or two of them exclude each other.
    """

    scale: float = 1.0
    size: tuple[int, int] | None = None
    pad_to: int = 1
    grid: Grid = "native"

    def __post_init__(self) -> None:
        if not 0.0 < self.scale <= 16.0:
            raise ParameterError(f"the scale must be above 0 and at most 16, got {self.scale:g}.")
        if self.size is not None and not all(0 < side <= 65536 for side in self.size):
            raise ParameterError(
                f"the size must be HEIGHTxWIDTH in pixels, each from 1 to 65536, got {self.size}."
            )
        if self.size is not None and self.scale != 1.0:
            raise ParameterError("a fixed size and a scale exclude each other; give one of them.")
        if not 1 <= self.pad_to <= 4096:
            raise ParameterError(f"--pad-to must be from 1 to 4096, got {self.pad_to}.")
        if self.grid not in get_args(Grid):
            raise ParameterError(f"the grid must be native or model, got {self.grid!r}.")
        if self.grid == "model" and self.pad_to > 1:
            raise ParameterError(
                "padding adds cells to the model's grid that belong to no pixel, so --pad-to and "
                "--grid model exclude each other; use --size instead."
            )

    @property
    def resizes(self) -> bool:
        """Whether the network may see another resolution than the picture's."""
        return self.scale != 1.0 or self.size is not None

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Size of the picture after resizing; at least one pixel."""
        if self.size is not None:
            return self.size
        return self._scaled(height), self._scaled(width)

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Size at which the network sees a picture of height x width."""
        height, width = self.resized(height, width)
        return -(-height // self.pad_to) * self.pad_to, -(-width // self.pad_to) * self.pad_to

    def as_dict(self) -> dict[str, Any]:
        """As JSON values, by the names of the command line's options."""
        size = None if self.size is None else f"{self.size[0]}x{self.size[1]}"
        return {"scale": self.scale, "size": size, "pad_to": self.pad_to, "grid": self.grid}

    def _scaled(self, side: int) -> int:
        return max(1, math.floor(side * self.scale))
