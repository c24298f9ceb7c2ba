"""Text in a figure: fonts, line breaks, names cut to fit."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL import Image, ImageFont

PAPER: Final = (246, 247, 249)  # not white: white means abstention
INK: Final = (28, 32, 38)
FAINT: Final = (92, 98, 108)


def draw_text(
    text: str, width: int, size: float, *, ink: tuple[int, int, int], bold: bool = False
) -> Image.Image:
    """Draw wrapped text on an image of `width` pixels."""
    from PIL import Image, ImageDraw

    font = load_font(size, bold=bold)
    lines = wrap_text(text, font, width)
    step = round(size * 1.4)
    block = Image.new("RGB", (width, len(lines) * step), PAPER)
    pen = ImageDraw.Draw(block)
    for i, line in enumerate(lines):
        pen.text((0, i * step), line, ink, font)
    return block


def wrap_text(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Return `text` as lines of at most `width` pixels; a word longer than a line is broken."""
    lines = []
    for paragraph in replace_surrogates(text).splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if font.getlength(longer) <= width:
                line = longer
                continue
            lines += [line] if line else []
            line = word[:1]
            for letter in word[1:]:
                if font.getlength(line + letter) > width:
                    lines.append(line)
                    line = ""
                line += letter
        lines.append(line)
    return lines


def shorten(name: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return `name` on one line, cut to `width` pixels."""
    name = " ".join(replace_surrogates(name[:200]).split())
    if font.getlength(name) <= width:
        return name
    while font.getlength(f"{name}…") > width:
        name = name[:-1]
    return f"{name}…"


def replace_surrogates(text: str) -> str:
    """Return `text` without surrogates: a file name may hold bytes that no font can measure."""
    return text.encode("utf-8", "replace").decode()


@cache
def load_font(size: float, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load the DejaVu Sans of matplotlib: Pillow's own font has neither Greek nor accents."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", name)
    # The basic layout is the same on every platform, so that equal figures have equal bytes.
    return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)
