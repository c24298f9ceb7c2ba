"""The command `onnxcert study`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from onnxcert.api.studies import study as run_study
from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.base import AsJson
from onnxcert.report.objects.calibration import calibration_object

FAILED = 1


def command(
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for figures, tables and study.json."),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Instead of figures: simulate votes with known probabilities and test whether "
            "each rule keeps its level alpha. Exit status 1 unless all rows are as expected.",
        ),
    ] = False,
    repetitions: Annotated[
        int, typer.Option(help="Number of simulations per row of the calibration.")
    ] = 20_000,
    resolution: Annotated[
        float,
        typer.Option(
            help="Share of the grid points and repetitions to use for the figures, above 0 and at "
            "most 1."
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    as_json: AsJson = False,
) -> int:
    """Repeat the paper's experiments on synthetic votes, or calibrate the certification rules.

    Writes figures (PNG) and their numbers (CSV): certified share against the rate of corrupted
    votes, certified share against the number of components for several budgets, and draws needed
    with and without early stopping.
    """
    with _StepBar() as bar:
        found = run_study(
            out,
            calibrate=calibrate,
            repetitions=repetitions,
            resolution=resolution,
            seed=seed,
            steps=bar,
            on_file=lambda path: None if as_json else print(path, flush=True),
        )
    if as_json:
        verdicts = calibration_object(found.rows) if calibrate else None
        files = [str(path) for path in found.files]
        print_object("study", {"seed": seed, "files": files, "calibration": verdicts})
    if not calibrate:
        return 0
    if out is None and not as_json:
        print(found.page)
    print(found.summary, file=sys.stderr)
    return 0 if found.as_expected else FAILED


class _StepBar(Progress):
    """Steps done, their rate and the time left, if standard error is a terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("time left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def begin(self, what: str, steps: int) -> None:
        self._task = self.add_task(what, total=steps, rate="")

    def step(self) -> None:
        speed = self.tasks[self._task].speed
        self.update(self._task, advance=1, rate=f"{speed:.1f} steps/s" if speed else "")
