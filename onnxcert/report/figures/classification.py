"""Figure of a classifier's record: the image, the certified class, its radius and its votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.report.figures import palette
from onnxcert.report.figures.axes import LINE, ImageCanvas
from onnxcert.report.figures.figure import GAP, stack_blocks, write_page
from onnxcert.report.figures.text import FAINT, INK, PAPER, draw_text, load_font, shorten
from onnxcert.results import Record
from onnxcert.statistics.certificate import ABSTAIN
from onnxcert.statistics.guarantee import format_radius

if TYPE_CHECKING:
    from PIL import Image

_COLUMN: Final = 440
_BAR: Final = 18
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

    canvas = ImageCanvas((image.shape[1], image.shape[2]))
    seen = Image.fromarray(canvas.paint_image(image))
    if len(bars) > _MOST:
        extra_lines = [f"and {len(bars) - _MOST} more labels", *extra_lines]
    blocks = [_draw_vote_bar(bar, tau) for bar in bars[:_MOST]]
    blocks += [draw_text(line, _COLUMN, 14, ink=INK) for line in extra_lines]
    column = stack_blocks(blocks)
    left = seen.width + 2 * GAP
    body = Image.new("RGB", (left + _COLUMN, max(seen.height, column.height)), PAPER)
    body.paste(seen, (0, 0))
    body.paste(column, (left, 0))
    write_page(path, body, title, caption)


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
    lines = []
    if not many_labels:
        lines.append(f"Clean prediction: {_class_name(class_names, int(record.clean[0]))}")
        if truth is not None:
            lines.append(f"Ground truth: {_class_name(class_names, int(truth[0]))}")
    if heading:
        lines.append(f"Shown: {heading}")
    draw_classification(
        path,
        image=image,
        bars=_vote_bars(record, class_names, many_labels=many_labels),
        extra_lines=lines,
        tau=record.decision.tau,
        title=record.name,
        caption=record.guarantee,
    )


def _vote_bars(record: Record, names: Sequence[str], *, many_labels: bool) -> list[VoteBar]:
    arrays = (record.labels, record.tally.candidate, record.tally.hits, record.level)
    rows = zip(*(np.asarray(array[...]).tolist() for array in arrays), strict=True)
    radii = np.asarray(record.radii[...], np.float64)
    colours = np.array([_NO, _YES]) if many_labels else palette.colours(names)
    called = ("no", "yes") if many_labels else names
    bars = []
    for i, (label, candidate, hits, level) in enumerate(rows):
        vote = _class_name(called, candidate)
        verdict = "abstain" if label == ABSTAIN else _class_name(called, label)
        if label == ABSTAIN and level:  # a radius map also certifies at tau below the requested one
            verdict = f"{vote}, short of tau"
        if many_labels:
            verdict = f"{names[i]}: {verdict}"
        if level:
            radius = format_radius(record.tally.draws.perturbation, float(radii[level - 1]))
            verdict += f", R = {radius}"
        red, green, blue = map(int, colours[candidate])
        bars.append(
            VoteBar(
                text=verdict,
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

    head, foot = load_font(18, bold=True), load_font(12)
    block = Image.new("RGB", (_COLUMN, 24 + _BAR + 22), PAPER)
    pen = ImageDraw.Draw(block)
    pen.text((0, 0), shorten(bar.text, head, _COLUMN), INK, head)
    full = _COLUMN - 1
    pen.rectangle((0, 26, full, 26 + _BAR), fill=(255, 255, 255), outline=LINE)
    end = round(full * bar.share)
    if bar.certified:
        pen.rectangle((0, 26, end, 26 + _BAR), fill=bar.colour, outline=LINE)
    elif end:
        pen.rectangle((0, 26, end, 26 + _BAR), fill=(255, 255, 255), outline=bar.colour, width=3)
    at = round(full * tau)
    pen.line((at, 23, at, 29 + _BAR), fill=INK, width=2)
    pen.text((0, 30 + _BAR), shorten(bar.votes, foot, _COLUMN), FAINT, foot)
    return block
