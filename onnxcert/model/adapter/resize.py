"""Resizing, padding and test-time augmentation of images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from onnxcert.errors import ParameterError

Grid = Literal["native", "model"]

_MOST_SCALES: Final = 8


@dataclass(frozen=True)
class Fit:
    """Settings that bring an image to the network's size and scores back.

    Noise is added before these steps and R is in the unit of the original image: all steps are
    part of the function that is certified.

    With `scales`, `flip` or `tile` (test-time augmentation) the network sees several views of an
    image and their scores are averaged, see `onnxcert.model.network.averaging`.

    Args:
        scale: Factor by which the image is resized for the network.
        size: (height, width) to which every image is resized; excludes `scale`.
        pad_to: Pad the bottom and right, by repeating the last row and column, until both sides
            are multiples of this; scores of the padding are removed.
        grid: `native`: scores are resized to the image's own size before the vote, and its pixels
            are the components; `model`: the components are the cells of the model's output.
        scales: Factors for several views of the image; excludes `scale` and `size`.
        flip: Whether to add views of the mirrored image.
        tile: (height, width) of a sliding window over the resized image, in the network's pixels.
        overlap: Smallest (height, width) that neighbouring tiles share; by default a third.

    Raises:
        ParameterError: A value is out of range, or two values exclude each other.
    """

    scale: float = 1.0
    size: tuple[int, int] | None = None
    pad_to: int = 1
    grid: Grid = "native"
    scales: tuple[float, ...] = ()
    flip: bool = False
    tile: tuple[int, int] | None = None
    overlap: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for scale in (self.scale, *self.scales):
            if not 0.0 < scale <= 16.0:
                raise ParameterError(f"the scale must be above 0 and at most 16, got {scale:g}.")
        for name, sides in (("size", self.size), ("tile", self.tile)):
            if sides is not None and not all(0 < side <= 65536 for side in sides):
                raise ParameterError(
                    f"the {name} must be HEIGHTxWIDTH in pixels, each from 1 to 65536, got {sides}."
                )
        if self.size is not None and self.scale != 1.0:
            raise ParameterError("a fixed size and a scale exclude each other; give one of them.")
        if not 1 <= self.pad_to <= 4096:
            raise ParameterError(f"--pad-to must be from 1 to 4096, got {self.pad_to}.")
        if self.grid not in get_args(Grid):
            raise ParameterError(f"the grid must be native or model, got {self.grid!r}.")
        if self.grid == "model" and self.pad_to > 1:
            raise ParameterError(
                "--pad-to and --grid model exclude each other, as padding adds cells to the "
                "model's grid that belong to no pixel; use --size instead."
            )
        self._check_views()

    def _check_views(self) -> None:
        if self.scales and (self.size is not None or self.scale != 1.0):
            raise ParameterError(
                "several scales exclude one scale and a fixed size; leave out --scale, --size and "
                "--resize, or --scales."
            )
        if len(self.scales) > _MOST_SCALES or len(set(self.scales)) < len(self.scales):
            raise ParameterError(
                f"--scales takes at most {_MOST_SCALES} factors, each once, got "
                f"{_join(self.scales)}."
            )
        if self.overlap is not None and self.tile is None:
            raise ParameterError("--overlap needs tiles; pass --tile too, or leave out --overlap.")
        if self.tile is not None and not all(
            0 <= shared < side for shared, side in zip(self.shared, self.tile, strict=True)
        ):
            raise ParameterError(
                f"tiles must overlap by 0 or more pixels and less than their size, got "
                f"{_format_size(self.shared)} for tiles of {_format_size(self.tile)}."
            )
        if self.averages and self.grid == "model":
            raise ParameterError(
                "--grid model excludes --scales, --flip and --tile, as each view has other cells "
                "of the model's grid; leave it out."
            )

    @property
    def averages(self) -> bool:
        """Whether scores are averaged over several views of the image."""
        return bool(self.scales) or self.flip or self.tile is not None

    @property
    def shared(self) -> tuple[int, int]:
        """Smallest height and width that neighbouring tiles share.

        By default the stride is two thirds of a tile's side, as in published configurations for
        sliding windows.
        """
        if self.overlap is not None or self.tile is None:
            return self.overlap or (0, 0)
        height, width = (side - max(1, side * 2 // 3) for side in self.tile)
        return height, width

    @property
    def resizes(self) -> bool:
        """Whether the network may see another resolution than the image's."""
        return self.scale != 1.0 or self.size is not None or any(s != 1.0 for s in self.scales)

    def resized_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the image size after resizing by `scale` or to `size`; at least one pixel."""
        return self.size or scale_size(height, width, self.scale)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size at which the network sees an image of height x width."""
        height, width = self.resized_size(height, width)
        return -(-height // self.pad_to) * self.pad_to, -(-width // self.pad_to) * self.pad_to

    def plain(self, seen: tuple[int, int]) -> Fit:
        """Return the settings of one view, which the network sees at the size `seen`."""
        return Fit(size=seen if self.resizes else None, pad_to=self.pad_to)

    @property
    def averaged(self) -> str:
        """What scores are averaged over, as text; empty for a single view."""
        over = []
        if self.scales:
            over.append(f"the {'scales' if len(self.scales) > 1 else 'scale'} {_join(self.scales)}")
        over += ["mirror images"] if self.flip else []
        if self.tile is not None:
            over.append(
                f"tiles of {_format_size(self.tile)} that overlap by {_format_size(self.shared)}"
            )
        return f"scores averaged over {'; '.join(over)}" if over else ""

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values by option name.

        Options of views are included only if used: records from before they existed stay valid.
        """
        size = None if self.size is None else _format_size(self.size)
        views: dict[str, Any] = {}
        if self.scales:
            views["scales"] = sorted(self.scales)
        if self.flip:
            views["flip"] = True
        if self.tile is not None:
            views |= {"tile": _format_size(self.tile), "overlap": _format_size(self.shared)}
        one = {"scale": self.scale, "size": size, "pad_to": self.pad_to, "grid": self.grid}
        return {**one, **views}


def scale_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Return the size of an image resized by `scale`; at least one pixel."""
    return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))


def _join(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(values))


def _format_size(sides: tuple[int, int]) -> str:
    return f"{sides[0]}x{sides[1]}"
