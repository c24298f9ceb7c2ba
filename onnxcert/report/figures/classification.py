"""Figure of a classifier's record: the image, the certified class, its radius and its votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.files.atomic import write_atomically
from onnxcert.report.figures import palette
from onnxcert.report.figures.axes import image_panel, panel_size
from onnxcert.report.figures.text import FAINT, INK, PAPER, draw_text, load_font, shorten
from onnxcert.results import Record
from onnxcert.statistics.certificate import ABSTAIN
from onnxcert.statistics.guarantee import format_radius

if TYPE_CHECKING:
    from PIL import Image

_MARGIN: Final = 20
_GAP: Final = 14
_COLUMN: Final = 440
_BAR: Final = 18
_LINE: Final = (176, 182, 190)
_MOST: Final = 40
_YES, _NO = (38, 122, 84), (120, 126, 134)

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class VoteBar:
    """Text and vote bar of one component.

    Attributes:
        text: the certified class and its radius, or "abstain".
        votes: the vote count as text, below the bar.
        share: share of the draws that voted for the candidate, 0 to 1.
        colour: colour of the candidate class.
        certified: whether the component is certified; otherwise the bar is hollow.
    """

    text: str
    votes: str
    share: float
    colour: Colour
    certified: bool


def draw_classification(
    path: Path,
    *,
    image: FloatArray,
    bars: Sequence[VoteBar],
    extra_lines: Sequence[str],
    tau: float,
    title: str,
    caption: str,
) -> None:
    """Write one PNG with the image on the left and the vote bars on the right.

    Equal arguments give equal bytes.

    Args:
        path: PNG to write; replaced atomically.
        image: float32 [3, H, W], RGB in [0, 1].
        bars: one for each component; the first 40 are shown.
        extra_lines: lines of text below the bars, such as the ground truth.
        tau: required hit rate, marked on the bars.
        title: title of the figure.
        caption: the guarantee.

    Raises:
        StoreError: `path` cannot be written.
    """
    from PIL import Image

    size = panel_size(image.shape[1], image.shape[2])
    blocks = [_draw_vote_bar(bar, tau) for bar in bars[:_MOST]]
    if len(bars) > _MOST:
        extra_lines = [f"and {len(bars) - _MOST} more labels", *extra_lines]
    blocks += [draw_text(line, _COLUMN, 14, bold=False, ink=INK) for line in extra_lines]
    column = _stack_blocks(blocks, _COLUMN)
    seen = Image.fromarray(image_panel(image, size))
    width, height = seen.width + 2 * _GAP + column.width, max(seen.height, column.height)
    row = Image.new("RGB", (width, height), PAPER)
    row.paste(seen, (0, 0))
    row.paste(column, (seen.width + 2 * _GAP, 0))
    body = _stack_blocks(
        [
            draw_text(title, width, 17, bold=True, ink=INK),
            row,
            draw_text(caption, width, 13, bold=False, ink=FAINT),
        ],
        width,
    )
    figure = Image.new("RGB", (width + 2 * _MARGIN, body.height + 2 * _MARGIN), PAPER)
    figure.paste(body, (_MARGIN, _MARGIN))
    write_atomically(path, lambda p: figure.save(p, format="PNG"))


def draw_classifier_record(
    path: Path,
    record: Record,
    *,
    image: FloatArray,
    truth: IntArray | None,
    class_names: Sequence[str],
    heading: str = "",
) -> None:
    """Write the figure of a classifier's record.

    Arguments as in `draw_classification`; `heading` as in
    `onnxcert.report.export.files.draw_record`.
    """
    many_labels = record.provenance.contract.get("output_form") == "multilabel"
    clean = [int(label) for label in np.asarray(record.clean[...])]
    extra_lines = []
    if not many_labels:
        extra_lines.append(f"Clean prediction: {_class_name(class_names, clean[0])}")
        if truth is not None:
            extra_lines.append(f"Ground truth: {_class_name(class_names, int(truth[0]))}")
    if heading:
        extra_lines.append(f"Shown: {heading}")
    draw_classification(
        path,
        image=image,
        bars=_vote_bars(record, class_names, many_labels=many_labels),
        extra_lines=extra_lines,
        tau=record.decision.tau,
        title=record.name,
        caption=record.guarantee,
    )


def _vote_bars(record: Record, names: Sequence[str], *, many_labels: bool) -> list[VoteBar]:
    arrays = (record.labels, record.tally.candidate, record.tally.hits, record.level)
    rows = zip(*(np.asarray(array[...]).tolist() for array in arrays), strict=True)
    radii = np.asarray(record.radii[...], np.float64)
    colours = palette.colours(names)
    perturbation = record.tally.draws.perturbation
    bars = []
    for i, (label, candidate, hits, level) in enumerate(rows):
        if many_labels:
            what, vote = f"{names[i]}: ", ("no", "yes")[candidate]
            red, green, blue = (_NO, _YES)[candidate]
            verdict = ("no", "yes")[label] if label != ABSTAIN else "abstain"
        else:
            what, vote = "", _class_name(names, candidate)
            red, green, blue = map(int, colours[candidate])
            verdict = _class_name(names, label) if label != ABSTAIN else "abstain"
        if label == ABSTAIN and level:  # a radius map also certifies at tau below the requested one
            verdict = f"{('no', 'yes')[candidate] if many_labels else vote}, short of tau"
        radius_text = (
            f", R = {format_radius(perturbation, float(radii[level - 1]))}" if level else ""
        )
        bars.append(
            VoteBar(
                text=f"{what}{verdict}{radius_text}",
                votes=f"{hits} of {record.tally.n} votes for {vote}",
                share=hits / record.tally.n,
                colour=(red, green, blue),
                certified=label != ABSTAIN,
            )
        )
    return bars


def _class_name(names: Sequence[str], index: int) -> str:
    return names[index] if 0 <= index < len(names) else "none"


def _draw_vote_bar(bar: VoteBar, tau: float) -> Image.Image:
    from PIL import Image, ImageDraw

    head, foot = load_font(18, bold=True), load_font(12, bold=False)
    block = Image.new("RGB", (_COLUMN, 24 + _BAR + 22), PAPER)
    pen = ImageDraw.Draw(block)
    pen.text((0, 0), shorten(bar.text, head, _COLUMN), INK, head)
    full = _COLUMN - 1
    pen.rectangle((0, 26, full, 26 + _BAR), fill=(255, 255, 255), outline=_LINE)
    end = round(full * bar.share)
    if bar.certified:
        pen.rectangle((0, 26, end, 26 + _BAR), fill=bar.colour, outline=_LINE)
    elif end:
        pen.rectangle((0, 26, end, 26 + _BAR), fill=(255, 255, 255), outline=bar.colour, width=3)
    at = round(full * tau)
    pen.line((at, 23, at, 29 + _BAR), fill=INK, width=2)
    pen.text((0, 30 + _BAR), shorten(bar.votes, foot, _COLUMN), FAINT, foot)
    return block


def _stack_blocks(blocks: Sequence[Image.Image], width: int) -> Image.Image:
    """Stack blocks vertically, left-aligned, on an image of `width` pixels."""
    from PIL import Image

    tall = sum(block.height + _GAP for block in blocks) - _GAP
    whole = Image.new("RGB", (width, max(1, tall)), PAPER)
    y = 0
    for block in blocks:
        whole.paste(block, (0, y))
        y += block.height + _GAP
    return whole
