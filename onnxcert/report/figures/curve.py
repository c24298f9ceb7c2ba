"""Certified share and certified accuracy against the radius, as CSV and as a figure."""

from __future__ import annotations

import csv
import textwrap
import warnings
from collections.abc import Mapping
from decimal import ROUND_DOWN, Context
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxcert.files.atomic import write_atomically
from onnxcert.files.inside import inside
from onnxcert.metrics.scores import Curve
from onnxcert.report.figures.plotting import BestEffort, load_matplotlib
from onnxcert.report.figures.text import replace_surrogates
from onnxcert.report.tables.summary import Summary

COLUMNS: Final = (
    "radius",
    "certified_share",
    "certified_accuracy",
    "certified",
    "correct",
    "components",
    "labelled",
)
_DOWN: Final = Context(prec=9, rounding=ROUND_DOWN)
_CERTIFIED: Final = "#1b6ca8"
_CORRECT: Final = "#c2571a"
_MARK: Final = "#5c626c"
_WIDTH: Final = 7.5  # inches
_CHARACTERS: Final = 136  # characters of the caption in a line


def write_curve(
    folder: Path,
    curve: Curve,
    *,
    unit: str,
    taus: Mapping[float, float],
    caption: str,
    figures: BestEffort,
) -> None:
    """Write `curve.csv` and `curve.png` into `folder`, each atomically.

    Equal arguments give equal bytes. A figure that cannot be drawn is left out.

    Args:
        folder: existing folder.
        curve: curve of one input, or the sum over many.
        unit: unit of the radii, as text.
        taus: each requested tau and its radius; marked in the figure.
        caption: the guarantee, below the figure.
        figures: records the reason if the figure cannot be drawn.

    Raises:
        StoreError: the CSV file cannot be written.
    """
    write_atomically(inside(folder, "curve.csv"), lambda path: _write_table(path, curve))
    picture = inside(folder, "curve.png")
    with figures.drawing(picture.name):
        load_matplotlib(folder, fonts=True)
        write_atomically(picture, lambda path: _write_picture(path, curve, unit, taus, caption))


def write_summary_curve(folder: Path, summary: Summary, figures: BestEffort) -> None:
    """Write the curve of a whole run, if it certifies at more than one radius."""
    if summary.curve is not None and len(summary.curve.radii) > 1:
        write_curve(
            folder,
            summary.curve,
            unit=summary.unit,
            taus=summary.taus,
            caption=f"{summary.sentence}\n{summary.statement}",
            figures=figures,
        )


def _write_table(path: Path, curve: Curve) -> None:
    """Write one row for each radius in ascending order, rounded down to nine significant digits.

    If several radii round to the same number, the row is that of the smallest one: its components
    are those certified at the printed radius.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        before = ""
        for radius, certified, correct in zip(
            curve.radii.tolist(), curve.certified.tolist(), curve.correct.tolist(), strict=True
        ):
            text = f"{_DOWN.create_decimal_from_float(radius).normalize():f}"
            if text == before:
                continue
            before = text
            accuracy = f"{correct / curve.labelled:.6f}" if curve.labelled else ""
            share = f"{certified / curve.components:.6f}"
            counts = (certified, correct if curve.labelled else "")
            table.writerow((text, share, accuracy, *counts, curve.components, curve.labelled))


def _write_picture(
    path: Path, curve: Curve, unit: str, taus: Mapping[float, float], caption: str
) -> None:
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = [
        line
        for paragraph in replace_surrogates(caption).splitlines()
        for line in textwrap.wrap(paragraph, _CHARACTERS)
    ]
    below = 0.15 * len(lines) + 0.1
    height = 4.2 + below
    # The user's matplotlib settings must not change the bytes.
    with matplotlib.style.context("default"), warnings.catch_warnings():
        # A character that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = Figure(figsize=(_WIDTH, height), dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.add_axes(
            (0.09, (0.62 + below) / height, 0.88, (height - below - 0.62 - 0.42) / height)
        )
        _draw(axes, curve, taus)
        axes.set_xlabel(f"certified radius ({replace_surrogates(unit)})", parse_math=False)
        for i, line in enumerate(lines):
            at = (below - 0.15 * (i + 0.5)) / height
            figure.text(0.02, at, line, size=7, color=_MARK, va="center", parse_math=False)
        figure.savefig(path, format="png", metadata={"Software": None})


def _draw(axes: Any, curve: Curve, taus: Mapping[float, float]) -> None:
    """Draw the step curves: between two radii, the certified share is that of the larger one."""
    last = float(curve.radii[-1]) if len(curve.radii) else 0.0
    longest = max(last, *taus.values(), 0.0) or 1.0
    lines = [("certified", curve.certified, curve.components, _CERTIFIED, "-")]
    if curve.labelled:
        right = "certified for the true class, of those labelled"
        lines.append((right, curve.correct, curve.labelled, _CORRECT, "--"))
    x = np.concatenate([[0.0], curve.radii, [last]])
    for label, counts, of, colour, dashes in lines:
        shares = np.concatenate([counts[:1], counts, [0]]) / max(of, 1)
        # Without levels nothing is certified at any radius.
        y = shares if len(counts) else np.zeros(2)
        axes.step(x, y, dashes, where="pre", color=colour, linewidth=1.8, label=label)
    rows = [-longest] * 4  # where the last label in each of these rows begins
    for tau, radius in sorted(taus.items()):
        axes.axvline(radius, color=_MARK, linewidth=0.9, linestyle=":", zorder=1)
        free = [i for i, before in enumerate(rows) if radius - before > 0.09 * longest]
        if not free:
            continue
        rows[free[0]] = radius
        left = radius > 0.9 * longest
        axes.annotate(
            f"τ {tau:g}",
            (radius, 0.02 + 0.06 * free[0]),
            xytext=(-3 if left else 3, 0),
            textcoords="offset points",
            size=8,
            color=_MARK,
            ha="right" if left else "left",
        )
    # Slightly more than the range, so that the frame does not hide the ends of the curve.
    axes.set_xlim(0.0, 1.01 * longest)
    axes.set_ylim(-0.015, 1.015)
    axes.set_ylabel("share of components")
    axes.grid(alpha=0.25)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
