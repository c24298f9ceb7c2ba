"""Pictures of a certified picture: what was seen, what is true, what is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import BoolArray, FloatArray, IntArray
from onnxcert.atomic import write_atomically
from onnxcert.errors import ParameterError
from onnxcert.report import palette
from onnxcert.report.lettering import FAINT, INK, PAPER, font_of, shortened, text_block
from onnxcert.report.panels import (
    ByteArray,
    hatching,
    heat_colours,
    heat_panel,
    ignored_pixels,
    nearest,
    paint,
    panel_size,
    photograph_panel,
)

if TYPE_CHECKING:
    from PIL import Image

# Wider sheets would be shrunk by every viewer until text is unreadable.
_SHEET: Final = 2600
_CELL: Final = 200  # a panel's share of the width, however narrow, so that its heading fits
_MARGIN: Final = 20
_GAP: Final = 14
_LINE: Final = (176, 182, 190)


@dataclass(frozen=True)
class Panel:
    heading: str
    pixels: ByteArray  # [h, w, 3]


def draw(
    path: Path,
    *,
    photograph: FloatArray,
    truth: IntArray | None,
    clean: IntArray,
    certified: IntArray,
    hit_rate: npt.NDArray[np.floating[Any]],
    class_names: Sequence[str],
    colours: ByteArray,
    ignore_label: int | None,
    tau: float,
    caption: str,
    title: str,
) -> None:
    """Write one PNG with all panels side by side, a legend and a caption.

    Small pictures are enlarged by whole factors, large ones shrunk, and panels that would make
    the sheet too wide go on in the next row. Equal arguments give equal bytes.

    Args:
        path: the PNG, replaced in one step if it exists.
        photograph: float32 [3, H, W], RGB in [0, 1].
        truth: integers [H, W], or None where no labels are known.
        clean: integers [H, W], the prediction without noise.
        certified: integers [H, W], ABSTAIN where nothing is sure; such pixels are white.
        hit_rate: [H, W], share of the votes that the leading class has, in [0, 1].
        class_names: names by index; a class beyond them is called by its number.
        colours: uint8 [classes, 3], from `palette.colours`.
        ignore_label: truth of unlabelled pixels, which are hatched, or None.
        tau: the hit rate asked for, marked on the scale.
        caption: what was certified; wrapped, and broken at each newline.
        title: name of the picture.

    Raises:
        ParameterError: the arrays are not of one size.
        StoreError: `path` cannot be written.
    """
    height, width = photograph.shape[1:]
    maps = [clean, certified, hit_rate, *([] if truth is None else [truth])]
    if any(one.shape != (height, width) for one in maps):
        raise ParameterError(
            f"expected maps as large as the photograph, {height} x {width}, but their shapes are "
            f"{', '.join(str(one.shape) for one in maps)}: pass those of one picture."
        )
    size = panel_size(height, width)
    painted: list[tuple[str, IntArray, BoolArray | None]] = [
        ("Clean prediction", clean, None),
        ("Certified prediction", certified, None),
    ]
    if truth is not None:
        painted.insert(
            0, ("Ground truth", truth, ignored_pixels(truth, len(colours), ignore_label))
        )
    panels = [Panel("Picture", photograph_panel(photograph, size))]
    for heading, labels, hidden in painted:
        small = None if hidden is None else nearest(hidden, size)
        panels.append(Panel(heading, paint(nearest(labels, size), colours, small)))
    panels.append(Panel("Hit rate", heat_panel(hit_rate, size)))

    entries = legend_entries(
        [(labels, ignored) for _, labels, ignored in painted], class_names, colours
    )
    write_sheet(path, panels, entries, title=title, caption=caption, tau=tau)


def write_sheet(
    path: Path,
    panels: Sequence[Panel],
    entries: Sequence[tuple[str, ByteArray]],
    *,
    title: str,
    caption: str,
    tau: float | None,
) -> None:
    """Lay panels, legend and text out on one sheet; with `tau`, the last is a hit rate."""
    from PIL import Image

    row = _panel_block(panels, tau)
    content, unit = max(row.width, 520), _unit(row.width)
    blocks = [
        text_block(title, content, unit * 17, bold=True, ink=INK),
        row,
        _legend_block(entries, content, unit),
        text_block(caption, content, unit * 13, bold=False, ink=FAINT),
    ]
    tall = sum(block.height for block in blocks) + _GAP * (len(blocks) - 1) + 2 * _MARGIN
    sheet = Image.new("RGB", (content + 2 * _MARGIN, tall), PAPER)
    y = _MARGIN
    for block in blocks:
        sheet.paste(block, (_MARGIN, y))
        y += block.height + _GAP
    write_atomically(path, lambda p: _save(p, sheet))


def write_label_png(path: Path, labels: IntArray, colours: ByteArray) -> None:
    """Write labels as an index PNG that keeps every index as it is.

    Up to 255 classes it has 8 bits, shows `colours`, and holds 255 where `labels` abstains;
    beyond, it is grey of 16 bits and holds 65535 there.

    Args:
        path: the PNG, replaced in one step if it exists.
        labels: integers [H, W]; whatever is no class counts as abstention.
        colours: uint8 [classes, 3], one for each class there is, whether it occurs or not.

    Raises:
        StoreError: `path` cannot be written.
    """
    from PIL import Image

    classes = len(colours)
    known = (labels >= 0) & (labels < classes)
    if classes > 255:
        write_atomically(
            path,
            lambda p: _save(p, Image.fromarray(np.where(known, labels, 65535).astype(np.uint16))),
        )
        return
    image = Image.fromarray(np.where(known, labels, 255).astype(np.uint8))
    table = np.zeros((256, 3), np.uint8)
    table[:classes] = colours
    table[255] = palette.ABSTAIN
    image.putpalette(table.tobytes())
    write_atomically(path, lambda p: _save(p, image))


def legend_entries(
    painted: Sequence[tuple[IntArray, BoolArray | None]],
    class_names: Sequence[str],
    colours: ByteArray,
    *,
    nothing: str = "abstain",
) -> list[tuple[str, ByteArray]]:
    """Legend entries for what occurs in any panel: (name, swatch [h, w, 3])."""
    classes = len(colours)
    counts = np.zeros(classes + 1, np.int64)
    hatched = False
    for labels, ignored in painted:
        shown = labels if ignored is None else labels[~ignored]
        known = (shown >= 0) & (shown < classes)
        counts += np.bincount(np.where(known, shown, classes).ravel(), minlength=classes + 1)
        hatched = hatched or (ignored is not None and bool(ignored.any()))
    shape = (14, 20)
    entries = [
        (
            class_names[i] if i < len(class_names) else f"class {i}",
            paint(np.full(shape, i), colours),
        )
        for i in np.flatnonzero(counts[:classes]).tolist()
    ]
    if counts[classes]:
        entries.append((nothing, paint(np.full(shape, classes), colours)))
    if hatched:
        entries.append(("ignored", hatching(shape)))
    return entries


def _unit(width: int) -> float:
    """What lettering is scaled by, so that a wide sheet fitted to a screen can still be read."""
    return max(1.0, width / 1500)


def _panel_block(panels: Sequence[Panel], tau: float | None) -> Image.Image:
    from PIL import Image, ImageDraw

    height, width = panels[0].pixels.shape[:2]
    cell = max(width, _CELL) + 2
    most = max(1, (_SHEET + _GAP) // (cell + _GAP))
    rows = -(-len(panels) // most)
    columns = -(-len(panels) // rows)
    whole = columns * (cell + _GAP) - _GAP
    unit = _unit(whole)
    head, foot = round(24 * unit), round(40 * unit)
    step = head + height + 2 + _GAP
    block = Image.new("RGB", (whole, rows * step - _GAP + foot), PAPER)
    pen = ImageDraw.Draw(block)
    for i, panel in enumerate(panels):
        x, y = i % columns * (cell + _GAP), i // columns * step
        pen.text((x, y), panel.heading, INK, font_of(14 * unit, bold=True))
        y += head
        pen.rectangle((x, y, x + width + 1, y + height + 1), outline=_LINE)
        block.paste(Image.fromarray(panel.pixels), (x + 1, y + 1))
    if tau is not None:
        # The hit rate is the last panel, and its scale stands below it.
        scale = _scale_block(min(cell, round(360 * unit)), unit, tau)
        block.paste(scale, (x, y + height + 6))
    return block


def _scale_block(width: int, unit: float, tau: float) -> Image.Image:
    from PIL import Image, ImageDraw

    top, height = 3, round(10 * unit)
    block = Image.new("RGB", (width, round(34 * unit)), PAPER)
    level = np.linspace(0, 255, width).round().astype(int)
    bar = np.repeat(heat_colours()[level][None], height, axis=0)
    block.paste(Image.fromarray(bar), (0, top))
    pen, font = ImageDraw.Draw(block), font_of(12 * unit, bold=False)
    at = round(tau * (width - 1))
    pen.line((at, 0, at, top + height + 2), INK, round(2 * unit))
    text = f"τ = {tau:g}"
    long, below = font.getlength(text), top + height + 4
    left = min(max(0.0, at - long / 2), width - long)
    pen.text((left, below), text, INK, font)
    digit = font.getlength("0")
    if left > 2 * digit:
        pen.text((0, below), "0", FAINT, font)
    if left + long < width - 2 * digit:
        pen.text((width - digit, below), "1", FAINT, font)
    return block


def _legend_block(entries: Sequence[tuple[str, ByteArray]], width: int, unit: float) -> Image.Image:
    from PIL import Image, ImageDraw

    font, line = font_of(13 * unit, bold=False), round(22 * unit)
    names = [shortened(name, font, round(260 * unit)) for name, _ in entries]
    column = max(int(font.getlength(name)) for name in names) + 32 + round(20 * unit)
    columns = max(1, (width + 24) // column)
    block = Image.new("RGB", (width, -(-len(entries) // columns) * line), PAPER)
    pen = ImageDraw.Draw(block)
    for i, (name, (_, swatch)) in enumerate(zip(names, entries, strict=True)):
        x, y = i % columns * column, i // columns * line
        high, wide = swatch.shape[:2]
        top = y + (line - high - 2) // 2
        pen.rectangle((x, top, x + wide + 1, top + high + 1), outline=_LINE)
        block.paste(Image.fromarray(swatch), (x + 1, top + 1))
        pen.text((x + wide + 8, y + line // 2), name, INK, font, anchor="lm")
    return block


def _save(path: Path, image: Image.Image) -> None:
    image.save(path, "PNG", compress_level=4)
