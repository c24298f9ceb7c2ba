"""The experiments on synthetic votes: each writes a figure and its numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from onnxcert.errors import ParameterError
from onnxcert.files.atomic import write_atomically
from onnxcert.simulation import budgets, corruption, stopping
from onnxcert.simulation.calibrate import versions
from onnxcert.simulation.table import Need, NoProgress, Share, Steps, write_rows

# Okabe and Ito's colours, which most colour-blind people can distinguish.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
SKY, YELLOW, PURPLE, BLACK = "#56B4E9", "#E69F00", "#CC79A7", "#000000"

_DPI: Final = 110
_SCHEMES: Final = {
    "SegCertify, Holm, pooled (same passes)": (BLUE, "-"),
    "SegCertify, Holm": (GREEN, "-"),
    "SegCertify, Bonferroni": (YELLOW, "--"),
    "IndivClass": (ORANGE, "-."),
    "JointClass": (PURPLE, ":"),
}
_BUDGETS: Final = dict(
    zip(budgets.BUDGETS, (BLACK, PURPLE, ORANGE, YELLOW, SKY, BLUE), strict=True)
)
_NEEDS: Final = {
    stopping.FULL: (BLACK, "--", ""),
    stopping.FIXED: (BLACK, "-", "o"),
    "looks, obrien-fleming": (PURPLE, "-.", "^"),
    "looks, pocock": (YELLOW, "--", "s"),
    "looks, equal": (BLUE, "-", "D"),
    stopping.UNANIMOUS: (GREEN, ":", ""),
}


def run(
    out: Path, *, resolution: float = 1.0, seed: int = 0, steps: Steps | None = None
) -> Iterator[Path]:
    """Run all experiments and yield the path of each file after it is written.

    Args:
        out: the folder to write to.
        resolution: share of the grid points and repetitions, above 0 and at most 1.
        seed: of all votes; the same seed and resolution give the same numbers.
        steps: progress.

    Raises:
        ParameterError: the resolution is out of range.
        StoreError: a file cannot be written.
    """
    if not 0.0 < resolution <= 1.0:
        raise ParameterError(f"the resolution must be above 0 and at most 1, got {resolution:g}.")
    steps = NoProgress() if steps is None else steps

    for name, experiment, draw in (
        ("corruption", corruption, draw_corruption),
        ("budgets", budgets, draw_budgets),
    ):
        steps.begin(f"certified share against {name}", experiment.steps(resolution))
        rows = list(experiment.shares(resolution, seed, steps))
        write_rows(out / f"{name}.csv", rows)
        yield out / f"{name}.csv"
        draw(out / f"{name}.png", rows)
        yield out / f"{name}.png"

    steps.begin("draws with early stopping", stopping.steps(resolution))
    found = list(stopping.needs(resolution, seed, steps))
    needed = [row for part in found for row in part.needed]
    reached = [row for part in found for row in part.reached]
    write_rows(out / "draws.csv", needed)
    yield out / "draws.csv"
    write_rows(out / "coverage.csv", reached)
    yield out / "coverage.csv"
    draw_needs(out / "draws.png", needed, reached)
    yield out / "draws.png"

    record = {"seed": seed, "resolution": resolution, "versions": versions()}
    text = json.dumps(record, indent=2) + "\n"
    write_atomically(out / "study.json", lambda path: path.write_text(text, encoding="utf-8"))
    yield out / "study.json"


def draw_corruption(path: Path, rows: Sequence[Share]) -> None:
    """Draw the certified share against gamma, in axes for each n (rows) and N (columns)."""
    figure, axes = _panels(len(corruption.DRAWS), len(corruption.COMPONENTS), (11.0, 6.4))
    for line, n in zip(axes, corruption.DRAWS, strict=True):
        for panel, components in zip(line, corruption.COMPONENTS, strict=True):
            here = [row for row in rows if (row.n0, row.components) == (n, components)]
            for scheme, (colour, style) in _SCHEMES.items():
                points = [(row.gamma, row.certified) for row in here if row.scheme == scheme]
                panel.plot(*zip(*points, strict=True), style, color=colour, label=scheme, lw=2)
            panel.set(xscale="log", ylim=(-0.03, 1.03), xlim=(1e-5, 0.3))
            panel.set_title(f"N = {components:,},  n = n0 = {n:,}", fontsize=10)
    for panel in axes[-1]:
        panel.set_xlabel("rate of wrong votes γ (one component: 5γ)")
    for line in axes:
        line[0].set_ylabel("certified share")
    _legend_above(figure, axes[0][0], columns=5)
    _save(figure, path)


def draw_budgets(path: Path, rows: Sequence[Share]) -> None:
    """Draw the certified share against N, in axes for each alpha."""
    figure, axes = _panels(1, len(budgets.ALPHAS), (10.5, 5.0))
    for panel, alpha in zip(axes[0], budgets.ALPHAS, strict=True):
        for correction, style in (("kfwer-stepdown", "-"), ("kfwer", "--")):
            for budget, colour in _BUDGETS.items():
                points = [
                    (row.components, row.certified)
                    for row in rows
                    if (row.scheme, row.budget, row.alpha) == (correction, budget, alpha)
                ]
                label = f"b = {budget.replace('%', ' % of N')}" if style == "-" else None
                panel.plot(*zip(*points, strict=True), style, color=colour, label=label, lw=1.8)
        panel.set(xscale="log", xlabel="components N", ylim=(0.3, 1.02))
        panel.set_title(
            f"α = {alpha:g},  τ = {budgets.TAU:g},  n = n0 = {budgets.N:,}", fontsize=10
        )
    axes[0][0].set_ylabel("certified share")
    axes[0][0].plot([], [], "-", color="0.5", label="step-down")
    axes[0][0].plot([], [], "--", color="0.5", label="single step")
    _legend_above(figure, axes[0][0], columns=8)
    _save(figure, path)


def draw_needs(path: Path, needed: Sequence[Need], reached: Sequence[Need]) -> None:
    """Draw the draws needed against N, and the certified share against the draws at one N."""
    figure, axes = _panels(1, 2, (10.5, 5.0))
    left, right = axes[0]
    for scheme, (colour, style, marker) in _NEEDS.items():
        points = [(row.components, row.draws) for row in needed if row.scheme == scheme]
        left.plot(
            *zip(*points, strict=True),
            style,
            color=colour,
            marker=marker,
            ms=5,
            label=scheme,
            lw=1.8,
        )
    left.set(xscale="log", xlabel="components N", ylabel="draws", ylim=(0, 1050))
    left.set_title(
        f"mean draws until {stopping.ENOUGH:.0%} of what {stopping.MOST:,} certify", fontsize=10
    )
    curves = {"fixed n": (BLACK, "-", "")} | {
        name: style for name, style in _NEEDS.items() if name.startswith("looks")
    }
    for scheme, (colour, style, marker) in curves.items():
        curve = [(row.draws, row.certified) for row in reached if row.scheme == scheme]
        right.plot(*zip(*curve, strict=True), style, color=colour, marker=marker, ms=5, lw=1.8)
    right.set(xlabel="draws", ylabel="certified share", xlim=(0, 1050), ylim=(0, 1.0))
    right.set_title(f"certified so far, N = {stopping.SHOWN:,}", fontsize=10)
    _legend_above(figure, left, columns=6)
    _save(figure, path)


def _panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, Any]:
    # Use no pyplot: it has global state and may need a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharey="row" if rows > 1 else False)
    for panel in _flat(axes):
        panel.grid(visible=True, color="0.9", lw=0.7)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _flat(axes: Iterable[Iterable[Any]]) -> list[Any]:
    return [panel for line in axes for panel in line]


def _legend_above(figure: Any, panel: Any, *, columns: int) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=columns, frameon=False, fontsize=9
    )


def _save(figure: Any, path: Path) -> None:
    # Omit the version of the software, so that the same numbers give the same file.
    write_atomically(
        path, lambda name: figure.savefig(name, format="png", metadata={"Software": None})
    )
