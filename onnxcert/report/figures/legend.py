"""Legend of a figure: a swatch and a name for each class that occurs in the panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from onnxcert._typing import BoolArray, IntArray
from onnxcert.report.figures.axes import LINE, ByteArray, hatch, paint
from onnxcert.report.figures.text import INK, PAPER, load_font, shorten

if TYPE_CHECKING:
    from PIL import Image


def legend_entries(
    painted: Sequence[tuple[IntArray, BoolArray | None]],
    class_names: Sequence[str],
    colours: ByteArray,
    *,
    nothing: str = "abstain",
) -> list[tuple[str, ByteArray]]:
    """Return (name, swatch [h, w, 3]) for each class that occurs in a panel.

    Args:
        painted: (label map, mask of ignored pixels or None) of each panel.
        class_names: names by index; a class without a name is called by its number.
        colours: uint8 [classes, 3].
        nothing: name for labels that are no class.
    """
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
        entries.append(("ignored", hatch(shape)))
    return entries


def draw_legend(entries: Sequence[tuple[str, ByteArray]], width: int, unit: float) -> Image.Image:
    """Draw the legend in as many columns as fit into `width` pixels; `unit` scales the text."""
    from PIL import Image, ImageDraw

    font, line = load_font(13 * unit, bold=False), round(22 * unit)
    names = [shorten(name, font, round(260 * unit)) for name, _ in entries]
    column = max(int(font.getlength(name)) for name in names) + 32 + round(20 * unit)
    columns = max(1, (width + 24) // column)
    block = Image.new("RGB", (width, -(-len(entries) // columns) * line), PAPER)
    pen = ImageDraw.Draw(block)
    for i, (name, (_, swatch)) in enumerate(zip(names, entries, strict=True)):
        x, y = i % columns * column, i // columns * line
        high, wide = swatch.shape[:2]
        top = y + (line - high - 2) // 2
        pen.rectangle((x, top, x + wide + 1, top + high + 1), outline=LINE)
        block.paste(Image.fromarray(swatch), (x + 1, top + 1))
        pen.text((x + wide + 8, y + line // 2), name, INK, font, anchor="lm")
    return block
