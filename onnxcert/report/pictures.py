"""Pictures of a certified picture: what was seen, what is true, what is sure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import BoolArray, FloatArray, IntArray
from onnxcert.errors import ParameterError, StoreError
from onnxcert.report import palette

if TYPE_CHECKING:
    from PIL import Image, ImageFont

ByteArray = npt.NDArray[np.uint8]

# Pixels of the sheet. Wider sheets would be shrunk by every viewer until text is unreadable.
_NARROWEST: Final = 240
_WIDEST: Final = 800
_TALLEST: Final = 1200
_SHEET: Final = 2600
_CELL: Final = 200  # a panel's share of the width, however narrow, so that its heading fits
_MARGIN: Final = 20
_GAP: Final = 14

_PAPER: Final = (246, 247, 249)  # not white, which is abstention
_INK: Final = (28, 32, 38)
_FAINT: Final = (92, 98, 108)
_LINE: Final = (176, 182, 190)


@dataclass(frozen=True)
class _Panel:
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
    from PIL import Image

    height, width = photograph.shape[1:]
    maps = [clean, certified, hit_rate, *([] if truth is None else [truth])]
    if any(one.shape != (height, width) for one in maps):
        raise ParameterError(
            f"expected maps as large as the photograph, {height} x {width}, but their shapes are "
            f"{', '.join(str(one.shape) for one in maps)}: pass those of one picture."
        )
    size = _panel_size(height, width)
    painted: list[tuple[str, IntArray, BoolArray | None]] = [
        ("Clean prediction", clean, None),
        ("Certified prediction", certified, None),
    ]
    if truth is not None:
        painted.insert(0, ("Ground truth", truth, _ignored(truth, len(colours), ignore_label)))
    panels = [_Panel("Photograph", _photograph(photograph, size))]
    for heading, labels, ignored in painted:
        small = None if ignored is None else _nearest(ignored, size)
        panels.append(_Panel(heading, _paint(_nearest(labels, size), colours, small)))
    panels.append(_Panel("Hit rate", _heat(hit_rate, size)))

    row = _panel_block(panels, tau)
    content, unit = max(row.width, 520), _unit(row.width)
    entries = _entries([(labels, ignored) for _, labels, ignored in painted], class_names, colours)
    blocks = [
        _text_block(title, content, unit * 17, bold=True, ink=_INK),
        row,
        _legend_block(entries, content, unit),
        _text_block(caption, content, unit * 13, bold=False, ink=_FAINT),
    ]
    tall = sum(block.height for block in blocks) + _GAP * (len(blocks) - 1) + 2 * _MARGIN
    sheet = Image.new("RGB", (content + 2 * _MARGIN, tall), _PAPER)
    y = _MARGIN
    for block in blocks:
        sheet.paste(block, (_MARGIN, y))
        y += block.height + _GAP
    _write(path, sheet)


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
        _write(path, Image.fromarray(np.where(known, labels, 65535).astype(np.uint16)))
        return
    image = Image.fromarray(np.where(known, labels, 255).astype(np.uint8))
    table = np.zeros((256, 3), np.uint8)
    table[:classes] = colours
    table[255] = palette.ABSTAIN
    image.putpalette(table.tobytes())
    _write(path, image)


def _write(path: Path, image: Image.Image) -> None:
    # In the same folder, as only there a name can be replaced in one step.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        image.save(temporary, "PNG", compress_level=4)
        temporary.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path}: expected to write a picture, but the system says "
            f"{(error.strerror or str(error)).lower()!r}: free space or choose another folder."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _panel_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of a panel: a whole multiple of the picture, or smaller."""
    factor = min(-(-_NARROWEST // width), _TALLEST // height)
    if factor >= 1 and width <= _WIDEST:
        return height * factor, width * factor
    shrink = min(_WIDEST / width, _TALLEST / height)
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def _nearest(array: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    rows, columns = (
        (2 * np.arange(after) + 1) * before // (2 * after)
        for before, after in zip(array.shape, size, strict=True)
    )
    small: npt.NDArray[Any] = array[rows[:, None], columns]
    return small


def _photograph(photograph: FloatArray, size: tuple[int, int]) -> ByteArray:
    pixels = np.rint(photograph.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return np.stack([_resized(pixels[..., c], size) for c in range(3)], axis=-1)


def _heat(hit_rate: npt.NDArray[np.floating[Any]], size: tuple[int, int]) -> ByteArray:
    level = np.rint(np.nan_to_num(hit_rate).clip(0, 1) * 255).astype(np.uint8)
    heat: ByteArray = _heat_colours()[_resized(level, size)]
    return heat


def _resized(plane: ByteArray, size: tuple[int, int]) -> ByteArray:
    from PIL import Image

    if size[0] >= plane.shape[0] and size[1] >= plane.shape[1]:
        return _nearest(plane, size)
    small = Image.fromarray(plane).resize((size[1], size[0]), Image.Resampling.BOX)
    return np.asarray(small)


@cache
def _heat_colours() -> ByteArray:
    import matplotlib

    table: ByteArray = matplotlib.colormaps["viridis"](np.arange(256), bytes=True)[:, :3]
    return table


def _ignored(truth: IntArray, classes: int, ignore_label: int | None) -> BoolArray:
    ignored: BoolArray = (truth < 0) | (truth >= classes)
    return ignored if ignore_label is None else ignored | (truth == ignore_label)


def _paint(labels: IntArray, colours: ByteArray, ignored: BoolArray | None = None) -> ByteArray:
    table = np.vstack([colours, np.array(palette.ABSTAIN, np.uint8)])
    known = (labels >= 0) & (labels < len(colours))
    painted: ByteArray = table[np.where(known, labels, len(colours))]
    if ignored is not None:
        painted[ignored] = _hatching(labels.shape)[ignored]
    return painted


def _hatching(shape: tuple[int, ...]) -> ByteArray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    hatching: ByteArray = np.array(palette.IGNORED, np.uint8)[(x + y) // 4 % 2]
    return hatching


def _entries(
    painted: Sequence[tuple[IntArray, BoolArray | None]],
    class_names: Sequence[str],
    colours: ByteArray,
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
            _paint(np.full(shape, i), colours),
        )
        for i in np.flatnonzero(counts[:classes]).tolist()
    ]
    if counts[classes]:
        entries.append(("abstain", _paint(np.full(shape, classes), colours)))
    if hatched:
        entries.append(("ignored", _hatching(shape)))
    return entries


def _unit(width: int) -> float:
    """What lettering is scaled by, so that a wide sheet fitted to a screen can still be read."""
    return max(1.0, width / 1500)


def _panel_block(panels: Sequence[_Panel], tau: float) -> Image.Image:
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
    block = Image.new("RGB", (whole, rows * step - _GAP + foot), _PAPER)
    pen = ImageDraw.Draw(block)
    for i, panel in enumerate(panels):
        x, y = i % columns * (cell + _GAP), i // columns * step
        pen.text((x, y), panel.heading, _INK, _font(14 * unit, bold=True))
        y += head
        pen.rectangle((x, y, x + width + 1, y + height + 1), outline=_LINE)
        block.paste(Image.fromarray(panel.pixels), (x + 1, y + 1))
    # The hit rate is the last panel, and its scale stands below it.
    scale = _scale_block(min(cell, round(360 * unit)), unit, tau)
    block.paste(scale, (x, y + height + 6))
    return block


def _scale_block(width: int, unit: float, tau: float) -> Image.Image:
    from PIL import Image, ImageDraw

    top, height = 3, round(10 * unit)
    block = Image.new("RGB", (width, round(34 * unit)), _PAPER)
    level = np.linspace(0, 255, width).round().astype(int)
    bar = np.repeat(_heat_colours()[level][None], height, axis=0)
    block.paste(Image.fromarray(bar), (0, top))
    pen, font = ImageDraw.Draw(block), _font(12 * unit, bold=False)
    at = round(tau * (width - 1))
    pen.line((at, 0, at, top + height + 2), _INK, round(2 * unit))
    text = f"τ = {tau:g}"
    long, below = font.getlength(text), top + height + 4
    left = min(max(0.0, at - long / 2), width - long)
    pen.text((left, below), text, _INK, font)
    digit = font.getlength("0")
    if left > 2 * digit:
        pen.text((0, below), "0", _FAINT, font)
    if left + long < width - 2 * digit:
        pen.text((width - digit, below), "1", _FAINT, font)
    return block


def _legend_block(entries: Sequence[tuple[str, ByteArray]], width: int, unit: float) -> Image.Image:
    from PIL import Image, ImageDraw

    font, line = _font(13 * unit, bold=False), round(22 * unit)
    names = [_shortened(name, font, round(260 * unit)) for name, _ in entries]
    column = max(int(font.getlength(name)) for name in names) + 32 + round(20 * unit)
    columns = max(1, (width + 24) // column)
    block = Image.new("RGB", (width, -(-len(entries) // columns) * line), _PAPER)
    pen = ImageDraw.Draw(block)
    for i, (name, (_, swatch)) in enumerate(zip(names, entries, strict=True)):
        x, y = i % columns * column, i // columns * line
        high, wide = swatch.shape[:2]
        top = y + (line - high - 2) // 2
        pen.rectangle((x, top, x + wide + 1, top + high + 1), outline=_LINE)
        block.paste(Image.fromarray(swatch), (x + 1, top + 1))
        pen.text((x + wide + 8, y + line // 2), name, _INK, font, anchor="lm")
    return block


def _text_block(
    text: str, width: int, size: float, *, bold: bool, ink: tuple[int, int, int]
) -> Image.Image:
    from PIL import Image, ImageDraw

    font = _font(size, bold=bold)
    lines = _wrapped(text, font, width)
    step = round(size * 1.4)
    block = Image.new("RGB", (width, len(lines) * step), _PAPER)
    pen = ImageDraw.Draw(block)
    for i, line in enumerate(lines):
        pen.text((0, i * step), line, ink, font)
    return block


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines of `text` no wider than `width`; a word too long for a line is broken."""
    lines = []
    for paragraph in _drawable(text).splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if font.getlength(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            line = ""
            for letter in word:
                if line and font.getlength(line + letter) > width:
                    lines.append(line)
                    line = ""
                line += letter
        lines.append(line)
    return lines


def _shortened(name: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    name = " ".join(_drawable(name[:200]).split())
    if font.getlength(name) <= width:
        return name
    while font.getlength(f"{name}…") > width:
        name = name[:-1]
    return f"{name}…"


def _drawable(text: str) -> str:
    # A file name may hold bytes that are no text, which no font can measure.
    return text.encode("utf-8", "replace").decode()


@cache
def _font(size: float, *, bold: bool) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib brings it; Pillow's own font has neither Greek nor accents."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", name)
    # The basic layout is the same wherever Pillow runs, so that equal pictures have equal bytes.
    return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)
