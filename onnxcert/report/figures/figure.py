"""Layout of a figure: title, panels in rows with their scales, legend, caption.

Drawn with Pillow. The whole page was tried with matplotlib: the code was a tenth shorter, as it has
no paragraphs wrapped by width, no legend that finds its columns and no labels of a scale that give
way; a figure took two to five times as long; and frames covered the outer pixels of the panels.
"""

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
GAP: Final = 14
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
    grid = _Grid.of(panels)
    write_page(path, _draw_panels(panels, entries, grid), title, caption, grid.unit)


def write_page(path: Path, body: Image.Image, title: str, caption: str, unit: float = 1.0) -> None:
    """Write `body` between its title and its caption as PNG; `unit` scales their text."""
    from PIL import ImageOps

    blocks = [
        draw_text(title, body.width, unit * 17, bold=True, ink=INK),
        body,
        draw_text(caption, body.width, unit * 13, ink=FAINT),
    ]
    page = ImageOps.expand(stack_blocks(blocks), _MARGIN, PAPER)
    write_atomically(path, lambda p: save_png(p, page))


def stack_blocks(blocks: Sequence[Image.Image]) -> Image.Image:
    """Stack blocks vertically, left-aligned."""
    from PIL import Image

    tall = sum(block.height + GAP for block in blocks) - GAP
    whole = Image.new("RGB", (max(block.width for block in blocks), tall), PAPER)
    y = 0
    for block in blocks:
        whole.paste(block, (0, y))
        y += block.height + GAP
    return whole


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
    def of(cls, panels: Sequence[Panel]) -> _Grid:
        height, width = panels[0].pixels.shape[:2]
        cell = max(width, _CELL) + 2
        most = max(1, (_WIDEST + GAP) // (cell + GAP))
        rows = -(-len(panels) // most)
        return cls(-(-len(panels) // rows), rows, cell, height)

    @property
    def content(self) -> int:
        """Width of the figure without its margins."""
        return max(self.left(self.columns) - GAP, _NARROWEST)

    @property
    def unit(self) -> float:
        """Scale factor of the text: a wide figure must stay readable when fitted to a screen."""
        return max(1.0, self.content / 1500)

    @property
    def head(self) -> int:
        return round(24 * self.unit)

    @property
    def step(self) -> int:
        return self.head + self.panel + 2 + GAP

    @property
    def bottom(self) -> int:
        """Row of pixels where the last row of panels ends."""
        return self.rows * self.step - GAP

    def left(self, column: int) -> int:
        return column * (self.cell + GAP)


def _draw_panels(
    panels: Sequence[Panel], entries: Sequence[tuple[str, ByteArray]], grid: _Grid
) -> Image.Image:
    """Draw the panels, their scales, and the legend where it leaves the least blank space."""
    from PIL import Image, ImageDraw

    wide = min(grid.cell, round(360 * grid.unit))
    scales = {  # by column of the last row
        i % grid.columns: draw_scale(panel.scale, wide, grid.unit)
        for i, panel in enumerate(panels)
        if panel.scale is not None
    }
    band = max((scale.height + _CLOSE for scale in scales.values()), default=0)
    empty = grid.rows * grid.columns - len(panels)
    legend, corner = _place_legend(entries, grid, empty, grid.left(min(scales, default=0)), band)
    tall = max(grid.bottom + band, corner[1] + legend.height)
    block = Image.new("RGB", (grid.content, tall), PAPER)
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
    block.paste(legend, corner)
    return block


def _place_legend(
    entries: Sequence[tuple[str, ByteArray]], grid: _Grid, empty: int, before: int, band: int
) -> tuple[Image.Image, tuple[int, int]]:
    """Return the legend and its upper left corner: in the first place where it fits.

    Args:
        entries: (name, swatch) of each entry.
        grid: positions of the panels.
        empty: number of cells of the last row without a panel.
        before: width of the space to the left of the scales.
        band: height of the scales below the last row.
    """
    places: list[tuple[int, int, int, float]] = []  # (x, y, width, greatest height)
    if empty:
        left, top = grid.left(grid.columns - empty), grid.bottom - grid.panel
        places.append((left, top, grid.content - left, grid.panel + band))
    if before >= 2 * _CELL:
        places.append((0, grid.bottom + GAP, before - 2 * GAP, 1.5 * band))
    for x, y, width, height in places:
        legend = draw_legend(entries, width, grid.unit)
        if legend.height <= height:
            return legend, (x, y)
    return draw_legend(entries, grid.content, grid.unit), (0, grid.bottom + band + GAP)
