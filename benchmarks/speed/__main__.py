"""Compare the speed of onnxcert with bare ONNX Runtime and with the reference design.

    python -m benchmarks.speed                    # a subset, minutes
    python -m benchmarks.speed --grid full        # everything that fits into memory, hours
    python -m benchmarks.speed --device cuda      # on a GPU

Writes DATE-speed-DEVICE.csv, .png and .md into --out and prints the table. `table.READING`
describes the comparison.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from onnxcert.errors import DeviceError, OnnxcertError, ParameterError
from onnxcert.model.runtime.machine import available_cores

from . import cells, command, extrapolation, measure, plot, table, threads
from .cells import Cell
from .measure import Row

GRIDS = {"tiny": cells.tiny, "small": cells.small, "full": cells.full}
SECONDS = {"tiny": 1.0, "small": 25.0, "full": 600.0}  # no new round of a cell after this time
LONGEST = {"tiny": 60.0, "small": 60.0, "full": 1800.0}  # a longer round is extrapolated


def main() -> int:
    """Measure, write and print; return 2 for invalid options."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--grid", choices=tuple(GRIDS), default="small")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores, and all but one")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=0.0, help="time limit; 0: none")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    parser.add_argument("--note", default="", help="a sentence on the circumstances, for the page")
    options = parser.parse_args()
    try:
        check_options(options)
        with tempfile.TemporaryDirectory() as folder:
            print(run(options, Path(folder)))
    except OnnxcertError as error:
        print(f"benchmarks.speed: {error}", file=sys.stderr)
        return 2
    return 0


def check_options(options: argparse.Namespace) -> None:
    """Raise OnnxcertError if an option is out of range or the GPU is missing."""
    if options.threads < 0 or options.rounds < 1 or options.minutes < 0:
        raise ParameterError(
            f"threads and minutes must be at least 0 and rounds at least 1, got {options.threads}, "
            f"{options.minutes:g} and {options.rounds}."
        )
    if not Path("/proc/self/clear_refs").exists():
        raise DeviceError("memory is measured with /proc, which this system lacks; use Linux.")
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise DeviceError(
                "cuda was requested but PyTorch finds no GPU; use --device cpu, or install a "
                "driver and CUDA builds of PyTorch and ONNX Runtime."
            )


def run(options: argparse.Namespace, folder: Path) -> str:
    """Measure all cells, write the files and return the page."""
    from .models import export_model

    cores = options.threads or available_cores()
    wanted = GRIDS[options.grid](cores, options.device)
    goals = wanted[:2] if options.grid == "small" else []
    if options.device == "cpu" and not options.threads and cores > 1:
        # With one core free for the noise.
        alone = [replace(cell, threads=cores - 1) for cell in goals]
        wanted = [*wanted[:2], *alone, *wanted[2:]]
    rows: list[Row] = []
    start = time.monotonic()
    for cell in wanted:
        if options.minutes and time.monotonic() - start > 60 * options.minutes:
            print(f"out of time before {cell.describe()}", file=sys.stderr)
            break
        row = measure_or_extrapolate(
            cell, rows, export_model(cell.model, cell.classes, folder), options
        )
        if row is not None:
            rows.append(row)
            print(" | ".join(table.cells(row)), file=sys.stderr, flush=True)
    extra = goals if options.device == "cpu" else []
    studies = [
        row
        for cell in extra
        for row in threads.measure_arrangements(
            cell, export_model(cell.model, cell.classes, folder), rounds=options.rounds
        )
    ]
    commands = [command.time_command(c, export_model(c.model, c.classes, folder)) for c in goals]
    date = datetime.now(UTC).date().isoformat()
    text = table.page(
        rows,
        studies,
        commands,
        date=date,
        command=" ".join(["python -m benchmarks.speed", *sys.argv[1:]]),
        note=options.note,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    stem = options.out / f"{date}-speed-{options.device}"
    table.write_csv(rows, stem.with_suffix(".csv"))
    plot.draw(rows, stem.with_suffix(".png"))
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    return text


def measure_or_extrapolate(
    cell: Cell, rows: list[Row], model: Path, options: argparse.Namespace
) -> Row | None:
    """Measure or extrapolate the row of a cell; print why and return None if neither works."""
    same = [
        row
        for row in rows
        if "note" not in row
        and all(row[key] == value for key, value in vars(replace(cell, n=row["n"])).items())
    ]
    too_long = (
        same and extrapolation.seconds_of(same[0]) * cell.n / same[0]["n"] > LONGEST[options.grid]
    )
    if too_long or extrapolation.too_large(cell):
        if same:
            return extrapolation.extrapolate(cell, same[0])
        print(f"does not fit into memory: {cell.describe()}", file=sys.stderr)
        return None
    try:
        return measure.measure_cell(
            cell, model, rounds=options.rounds, seconds=SECONDS[options.grid]
        )
    except MemoryError:
        print(f"ran out of memory: {cell.describe()}", file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main())
