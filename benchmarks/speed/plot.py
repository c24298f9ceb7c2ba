"""Figure of the time per draw of each program and cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from .measure import Row

# Okabe and Ito's colours, suitable for colour-blind readers.
BARE, LABELS, OURS, REFERENCE, TESTS = "#999999", "#56B4E9", "#0072B2", "#E69F00", "#D55E00"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Plot milliseconds per draw on a logarithmic axis, one group of points for each cell."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9.5, 1.6 + 0.72 * len(rows)), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(rows))[::-1]
        series = (
            ("(a) ONNX Runtime, scores only", BARE, ["network_passes"]),
            ("(a') ONNX Runtime, the same graph with votes", LABELS, ["labels_passes"]),
            ("(b) onnxcert, all of it", OURS, ["onnxcert_passes", "onnxcert_decision"]),
            ("(c) reference design, passes", REFERENCE, ["reference_passes"]),
            (
                "(c) with its decision",
                TESTS,
                ["reference_passes", "reference_decision"],
            ),
        )
        for k, (label, colour, keys) in enumerate(series):
            values = [1e3 * sum(row[key] for key in keys) / row["n"] for row in rows]
            at = places + 0.32 - 0.16 * k
            axes.scatter(values, at, s=34, color=colour, label=label, zorder=2)
            for y, value in zip(at, values, strict=True):
                shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
                axes.annotate(
                    shown, (value, y), (6, 0), textcoords="offset points", va="center", fontsize=7
                )
        for place in places[::2]:
            axes.axhspan(place - 0.5, place + 0.5, color="#F2F2F2", zorder=0)
        axes.set_yticks(places, [_cell_label(row) for row in rows])
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,g}")
        axes.xaxis.grid(visible=True, color="#DDDDDD", zorder=1)
        axes.margins(x=0.08)
        axes.set_ylim(-0.5, len(rows) - 0.5)
        axes.set_xlabel("milliseconds a draw (logarithmic)")
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
        figure.savefig(path, dpi=130)


def _cell_label(row: Row) -> str:
    threads = f"{row['threads']} thread{'s' if row['threads'] > 1 else ''}"
    marked = ", extrapolated" if "note" in row else ""
    return (
        f"{row['model']} {row['height']}x{row['width']}, {row['classes']} classes\n"
        f"n {row['n']}, batch {row['batch']}, {threads}, {row['speedup']:.1f}x faster{marked}"
    )
