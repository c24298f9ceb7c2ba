"""Layout of a figure: panels in rows with their scales, legend, title and caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onnxcert.files.atomic import write_atomically
from onnxcert.report.figures.axes import LINE, ByteArray
from onnxcert.report.figures.legend import Scale, draw_legend, draw_scale
from onnxcert.report.figures.text import FAINT, INK, PAPER, draw_text, load_font

if TYPE_CHECKING:
    from PIL import Image

# Viewers reduce a wider figure until its text is unreadable; in a narrower one, lines break after
# a few words.
_WIDEST: Final = 2600
_NARROWEST: Final = 860
_CELL: Final = 200  # minimum width of a cell, so that its heading fits
_MARGIN: Final = 20
_GAP: Final = 14
_CLOSE: Final = 6  # between a panel and its scale


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    Attributes:
        heading: text above the pixels.
        pixels: uint8 [h, w, 3].
        scale: colour bar, if the legend does not explain the colours.
    """

    heading: str
    pixels: ByteArray
    scale: Scale | None = None


def write_figure(
    path: Path,
    panels: Sequence[Panel],
    entries: Sequence[tuple[str, ByteArray]],
    *,
    title: str,
    caption: str,
) -> None:
    """Lay out panels of one size, legend and text, and write the figure as PNG.

    Args:
        path: PNG to write; replaced atomically if it exists.
        panels: in reading order; those with a scale come last.
        entries: (name, swatch) of the legend, at least one.
        title: title of the figure.
        caption: text below; wrapped, with its line breaks kept.

    Raises:
        StoreError: `path` cannot be written.
    """
    from PIL import Image

    height, width = panels[0].pixels.shape[:2]
    grid = _Grid.of(len(panels), height, max(width, _CELL) + 2)
    content = max(grid.width, _NARROWEST)
    blocks = [
        draw_text(title, content, grid.unit * 17, bold=True, ink=INK),
        _draw_panels(panels, entries, grid, content),
        draw_text(caption, content, grid.unit * 13, bold=False, ink=FAINT),
    ]
    tall = sum(block.height for block in blocks) + _GAP * (len(blocks) - 1) + 2 * _MARGIN
    figure = Image.new("RGB", (content + 2 * _MARGIN, tall), PAPER)
    y = _MARGIN
    for block in blocks:
        figure.paste(block, (_MARGIN, y))
        y += block.height + _GAP
    write_atomically(path, lambda p: save_png(p, figure))


def save_png(file: Path | BytesIO, image: Image.Image) -> None:
    """Write the image as PNG."""
    image.save(file, "PNG", compress_level=4)


@dataclass(frozen=True)
class _Grid:
    """Positions of the panels: `columns` cells per row, all of one size."""

    columns: int
    rows: int
    cell: int
    panel: int  # height

    @classmethod
    def of(cls, count: int, height: int, cell: int) -> _Grid:
        most = max(1, (_WIDEST + _GAP) // (cell + _GAP))
        rows = -(-count // most)
        return cls(-(-count // rows), rows, cell, height)

    @property
    def width(self) -> int:
        return self.left(self.columns) - _GAP

    @property
    def unit(self) -> float:
        """Scale factor of the text: a wide figure must stay readable when fitted to a screen."""
        return max(1.0, self.width / 1500)

    @property
    def step(self) -> int:
        return self.head + self.panel + 2 + _GAP

    @property
    def head(self) -> int:
        return round(24 * self.unit)

    @property
    def bottom(self) -> int:
        """Row of pixels where the last row of panels ends."""
        return self.rows * self.step - _GAP

    def left(self, column: int) -> int:
        return column * (self.cell + _GAP)


def _draw_panels(
    panels: Sequence[Panel], entries: Sequence[tuple[str, ByteArray]], grid: _Grid, content: int
) -> Image.Image:
    """Draw the panels, their scales, and the legend where it leaves the least blank space."""
    from PIL import Image, ImageDraw

    wide = min(grid.cell, round(360 * grid.unit))
    scales: dict[int, Image.Image] = {}  # by column of the last row
    for i, panel in enumerate(panels):
        if panel.scale is not None:
            scales[i % grid.columns] = draw_scale(panel.scale, wide, grid.unit)
    band = max((scale.height + _CLOSE for scale in scales.values()), default=0)
    first = min(scales, default=0)
    legend, (left, top) = _place_legend(entries, grid, content, len(panels), first, band)
    tall = max(grid.bottom + band, top + legend.height)
    block = Image.new("RGB", (content, tall), PAPER)
    pen = ImageDraw.Draw(block)
    for i, panel in enumerate(panels):
        x, y = grid.left(i % grid.columns), i // grid.columns * grid.step
        high, long = panel.pixels.shape[:2]
        pen.text((x, y), panel.heading, INK, load_font(14 * grid.unit, bold=True))
        y += grid.head
        pen.rectangle((x, y, x + long + 1, y + high + 1), outline=LINE)
        block.paste(Image.fromarray(panel.pixels), (x + 1, y + 1))
    for column, scale in scales.items():
        block.paste(scale, (grid.left(column), grid.bottom + _CLOSE))
    block.paste(legend, (left, top))
    return block


def _place_legend(
    entries: Sequence[tuple[str, ByteArray]],
    grid: _Grid,
    content: int,
    count: int,
    first: int,
    band: int,
) -> tuple[Image.Image, tuple[int, int]]:
    """Return the legend and its upper left corner; it is placed last only if it fits nowhere else.

    Args:
        entries: (name, swatch) of each entry.
        grid: positions of the panels.
        content: width of the figure without its margins.
        count: number of panels.
        first: column of the first scale in the last row; 0 if nothing is to the left of it.
        band: height of the scales below the last row.
    """
    empty = grid.rows * grid.columns - count
    if empty:
        left = grid.left(grid.columns - empty)
        legend = draw_legend(entries, content - left, grid.unit)
        if legend.height <= grid.panel + band:
            return legend, (left, grid.bottom - grid.panel)
    if grid.left(first) >= 2 * _CELL:
        legend = draw_legend(entries, grid.left(first) - 2 * _GAP, grid.unit)
        if legend.height <= 1.5 * band:
            return legend, (0, grid.bottom + _GAP)
    return draw_legend(entries, content, grid.unit), (0, grid.bottom + band + _GAP)
