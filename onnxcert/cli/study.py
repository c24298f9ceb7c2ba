"""The command `onnxcert study`."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from onnxcert.errors import ParameterError, StoreError
from onnxcert.files.atomic import write_atomically

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
) -> int:
    """Repeat the paper's experiments on synthetic votes, or calibrate the certification rules.

    Writes figures (PNG) and their numbers (CSV): certified share against the rate of corrupted
    votes, certified share against the number of components for several budgets, and draws needed
    with and without early stopping.
    """
    if seed < 0:
        raise ParameterError(f"--seed must be 0 or more, got {seed}.")
    if out is not None:
        _make_folder(out)
    with _StepBar() as bar:
        if calibrate:
            return _calibrate(out, repetitions, seed, bar)
        return _figures(out, resolution, seed, bar)


def _calibrate(out: Path | None, repetitions: int, seed: int, bar: _StepBar) -> int:
    from onnxcert.simulation import calibrate
    from onnxcert.simulation.calibration import COLUMNS, cells
    from onnxcert.simulation.table import write_csv

    found = calibrate.calibrate(repetitions=repetitions, seed=seed, steps=bar)
    bar.stop()
    page = calibrate.document(
        found,
        command=f"onnxcert study --calibrate --repetitions {repetitions} --seed {seed}",
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        repetitions=repetitions,
    )
    if out is None:
        print(page)
    else:
        write_atomically(
            out / "calibration.md", lambda path: path.write_text(page, encoding="utf-8")
        )
        write_csv(out / "calibration.csv", COLUMNS, map(cells, found))
        for name in ("calibration.md", "calibration.csv"):
            print(out / name)
    print(calibrate.summary(found, repetitions), file=sys.stderr)
    return 0 if all(row.as_expected for row in found) else FAILED


def _figures(out: Path | None, resolution: float, seed: int, bar: _StepBar) -> int:
    from onnxcert.simulation.experiments import run

    if out is None:
        raise ParameterError("the figures need a folder; pass --out DIR.")
    for path in run(out, resolution=resolution, seed=seed, steps=bar):
        print(path, flush=True)
    return 0


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"the folder {out} cannot be created ({reason}); choose another folder with --out."
        ) from None


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
