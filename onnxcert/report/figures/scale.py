"""Colour bar below a heat map: colours, ticks with numbers, the unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from onnxcert.report.figures.axes import ByteArray, hit_rate_colours, radius_colours
from onnxcert.report.figures.text import FAINT, INK, PAPER, draw_text, load_font
from onnxcert.statistics.guarantee import round_down

if TYPE_CHECKING:
    from PIL import Image

# Distances between ticks that are easy to read, times a power of ten.
_STEPS: Final = (1, 2, 5, 10)


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
    for step in (m * 10.0**p for p in (power, power + 1) for m in _STEPS[:-1]):
        if largest / step <= 7:
            count = math.ceil(largest / step * (1 - 1e-9)) - 1
            return [k * step for k in range(1, count + 1)]
    raise AssertionError("a step of half the power of ten above is always large enough")


def draw_scale(scale: Scale, width: int, unit: float) -> Image.Image:
    """Draw the scale, `width` pixels wide; `unit` scales the text."""
    from PIL import Image, ImageDraw

    top, height = 3, round(10 * unit)
    font, below = load_font(12 * unit, bold=False), top + height + round(5 * unit)
    line = round(16 * unit)
    words = None
    if scale.unit:
        words = draw_text(scale.unit, width, 11 * unit, bold=False, ink=FAINT)
    block = Image.new("RGB", (width, below + line + (words.height if words else 0)), PAPER)
    bar = np.repeat(
        scale.colours[np.linspace(0, 255, width).round().astype(int)][None], height, axis=0
    )
    block.paste(Image.fromarray(bar), (0, top))
    pen = ImageDraw.Draw(block)
    taken: list[tuple[float, float]] = []
    for tick in scale.ticks:
        ink = INK if tick.strong else FAINT
        at, long = round(tick.at * (width - 1)), font.getlength(tick.text)
        start = 0 if tick.strong else top + height
        if tick.strong:
            # A light border, because the tick is as dark as one end of the scale.
            pen.line(
                (at, start, at, top + height - 1), PAPER, _line_width(tick, unit) + 2 * round(unit)
            )
        pen.line((at, start, at, top + height + round(3 * unit)), ink, _line_width(tick, unit))
        left = min(max(0.0, at - long / 2), width - long)
        gap = font.getlength("0")
        if all(left > end + gap or left + long < begin - gap for begin, end in taken):
            taken.append((left, left + long))
            pen.text((left, below), tick.text, ink, font)
    if words is not None:
        block.paste(words, (0, below + line))
    return block


def _line_width(tick: Tick, unit: float) -> int:
    return round((2 if tick.strong else 1) * unit)
