"""Legend of a figure: a swatch for each class in the panels, and colour bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from onnxcert._typing import BoolArray, IntArray
from onnxcert.report.figures.axes import (
    LINE,
    ByteArray,
    hatch,
    hit_rate_colours,
    paint,
    radius_colours,
)
from onnxcert.report.figures.text import FAINT, INK, PAPER, draw_text, load_font, shorten
from onnxcert.statistics.guarantee import round_down

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

    font, line = load_font(13 * unit), round(22 * unit)
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


@dataclass(frozen=True)
class Tick:
    """Tick of a scale.

    Attributes:
        at: position as a share of the scale's length, in [0, 1].
        text: its label.
        strong: whether it marks a requested value.
    """

    at: float
    text: str
    strong: bool = False


@dataclass(frozen=True)
class Scale:
    """Colour bar of a panel.

    Attributes:
        colours: uint8 [256, 3], from the lowest to the highest value.
        ticks: the most important first; a label that would overlap an earlier one is omitted.
        unit: unit of the numbers, as text.
    """

    colours: ByteArray
    ticks: tuple[Tick, ...]
    unit: str = ""


def hit_rate_scale(tau: float) -> Scale:
    """Return the scale of the hit rate, from 0 to 1, with tau marked."""
    ticks = (Tick(tau, f"τ = {tau:g}", strong=True), Tick(0, "0"), Tick(1, "1"))
    return Scale(hit_rate_colours(), ticks)


def radius_scale(largest: float, requested: tuple[float, ...], unit: str) -> Scale:
    """Return the scale from 0 to `largest`, with the requested radii marked; rounded down."""
    if largest <= 0:
        return Scale(radius_colours(), (Tick(0, "0"),), unit)
    strong = [Tick(r / largest, round_down(r), strong=True) for r in requested if r <= largest]
    ends = [Tick(0, "0"), Tick(1, round_down(largest))]
    round_ones = [Tick(r / largest, f"{r:.6g}") for r in round_numbers(largest)]
    # The ends come first: without them the scale cannot be read, while the requested radii are
    # also in the statement.
    return Scale(radius_colours(), (*ends, *strong, *round_ones), unit)


def round_numbers(largest: float) -> list[float]:
    """Return three to six evenly spaced round numbers between 0 and `largest`, both excluded."""
    power = math.floor(math.log10(largest)) - 1
    for step in (m * 10.0**p for p in (power, power + 1) for m in (1, 2, 5)):
        if largest / step <= 7:
            count = math.ceil(largest / step * (1 - 1e-9)) - 1
            return [k * step for k in range(1, count + 1)]
    raise AssertionError("a step of half the power of ten above is always large enough")


def draw_scale(scale: Scale, width: int, unit: float) -> Image.Image:
    """Draw the scale, `width` pixels wide; `unit` scales the text."""
    from PIL import Image, ImageDraw

    top, height, line = 3, round(10 * unit), round(16 * unit)
    font, below = load_font(12 * unit), top + height + round(5 * unit)
    words = draw_text(scale.unit, width, 11 * unit, ink=FAINT) if scale.unit else None
    block = Image.new("RGB", (width, below + line + (words.height if words else 0)), PAPER)
    row = scale.colours[np.linspace(0, 255, width).round().astype(int)]
    block.paste(Image.fromarray(np.tile(row, (height, 1, 1))), (0, top))
    pen = ImageDraw.Draw(block)
    gap, taken = font.getlength("0"), list[tuple[float, float]]()
    for tick in scale.ticks:
        ink, thick = (INK, round(2 * unit)) if tick.strong else (FAINT, round(unit))
        at, long = round(tick.at * (width - 1)), font.getlength(tick.text)
        start = 0 if tick.strong else top + height
        if tick.strong:
            # A light border, because the tick is as dark as one end of the scale.
            pen.line((at, start, at, top + height - 1), PAPER, thick + 2 * round(unit))
        pen.line((at, start, at, top + height + round(3 * unit)), ink, thick)
        left = min(max(0.0, at - long / 2), width - long)
        if all(left > end + gap or left + long < begin - gap for begin, end in taken):
            taken.append((left, left + long))
            pen.text((left, below), tick.text, ink, font)
    if words is not None:
        block.paste(words, (0, below + line))
    return block
