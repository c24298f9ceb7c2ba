"""The experiments on synthetic votes: each writes a figure and its numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from onnxcert.errors import ParameterError
from onnxcert.files.atomic import write_atomically
from onnxcert.simulation import budgets, corruption, stopping
from onnxcert.simulation.calibrate import versions
from onnxcert.simulation.figures import draw_budgets, draw_corruption, draw_needs
from onnxcert.simulation.table import NoProgress, Steps, write_csv


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

    steps.begin("certified share against corruption", corruption.steps(resolution))
    by_gamma = list(corruption.shares(resolution, seed, steps))
    write_csv(out / "corruption.csv", by_gamma)
    yield out / "corruption.csv"
    draw_corruption(out / "corruption.png", by_gamma)
    yield out / "corruption.png"

    steps.begin("certified share against budgets", budgets.steps(resolution))
    by_budget = list(budgets.shares(resolution, seed, steps))
    write_csv(out / "budgets.csv", by_budget)
    yield out / "budgets.csv"
    draw_budgets(out / "budgets.png", by_budget)
    yield out / "budgets.png"

    steps.begin("draws with early stopping", stopping.steps(resolution))
    found = list(stopping.needs(resolution, seed, steps))
    needed = [row for part in found for row in part.needed]
    reached = [row for part in found for row in part.reached]
    write_csv(out / "draws.csv", needed)
    yield out / "draws.csv"
    write_csv(out / "coverage.csv", reached)
    yield out / "coverage.csv"
    draw_needs(out / "draws.png", needed, reached)
    yield out / "draws.png"

    record = {"seed": seed, "resolution": resolution, "versions": versions()}
    text = json.dumps(record, indent=2) + "\n"
    write_atomically(out / "study.json", lambda path: _write(path, text))
    yield out / "study.json"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
