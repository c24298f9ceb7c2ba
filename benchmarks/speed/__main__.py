"""Measure onnxcert beside bare ONNX Runtime and beside the reference design.

    python -m benchmarks.speed                    # a subset, minutes
    python -m benchmarks.speed --grid full        # everything that fits memory, hours
    python -m benchmarks.speed --device cuda      # on a GPU

Writes DATE-speed-DEVICE.csv, .png and .md into --out and prints the table. `table.READING` says
what is compared.
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
from onnxcert.model.running.cores import available_cores

from . import cells, command, extrapolation, measure, plot, table, threads
from .cells import Cell
from .measure import Row

GRIDS = {"tiny": cells.tiny, "small": cells.small, "full": cells.full}
SECONDS = {"tiny": 1.0, "small": 25.0, "full": 600.0}  # after which a cell begins no new round
LONGEST = {
    "tiny": 60.0,
    "small": 60.0,
    "full": 1800.0,
}  # of one round; more passes are extrapolated


def main() -> int:
    """Measure, write and print; 2 where it cannot be done as asked."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--grid", choices=tuple(GRIDS), default="small")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores, and one")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after; 0: when done")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    parser.add_argument("--note", default="", help="a sentence on the circumstances")
    options = parser.parse_args()
    try:
        refuse(options)
        with tempfile.TemporaryDirectory() as folder:
            print(run(options, Path(folder)))
    except OnnxcertError as error:
        print(f"benchmarks.speed: {error}", file=sys.stderr)
        return 2
    return 0


def refuse(options: argparse.Namespace) -> None:
    """Raise OnnxcertError for numbers that mean nothing and for a GPU that is not there."""
    if options.threads < 0 or options.rounds < 1 or options.minutes < 0:
        raise ParameterError(
            f"threads and minutes must be at least 0 and rounds at least 1, got {options.threads}, "
            f"{options.minutes:g} and {options.rounds}."
        )
    if not Path("/proc/self/clear_refs").exists():
        raise DeviceError("memory is measured through /proc, which this system has not; use Linux.")
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise DeviceError(
                "cuda was asked for but PyTorch finds no GPU here; use --device cpu, or install a "
                "driver and CUDA builds of PyTorch and ONNX Runtime."
            )


def run(options: argparse.Namespace, folder: Path) -> str:
    """The page, written and returned."""
    from .models import exported

    everybody = options.threads or available_cores()
    wanted = GRIDS[options.grid](everybody, options.device)
    goals = wanted[:2] if options.grid == "small" else []
    if options.device == "cpu" and not options.threads and everybody > 1:
        # One core is left for noise.
        alone = [replace(cell, threads=everybody - 1) for cell in goals]
        wanted = [*wanted[:2], *alone, *wanted[2:]]
    rows: list[Row] = []
    start = time.monotonic()
    for cell in wanted:
        if options.minutes and time.monotonic() - start > 60 * options.minutes:
            print(f"out of time before {cell.described()}", file=sys.stderr)
            break
        row = measured_or_extrapolated(
            cell, rows, exported(cell.model, cell.classes, folder), options
        )
        if row is not None:
            rows.append(row)
            print(" | ".join(table.cells(row)), file=sys.stderr, flush=True)
    extra = goals if options.device == "cpu" else []
    studies = [
        row
        for cell in extra
        for row in threads.arrangements(
            cell, exported(cell.model, cell.classes, folder), rounds=options.rounds
        )
    ]
    whole = [command.certified(c, exported(c.model, c.classes, folder)) for c in goals]
    date = datetime.now(UTC).date().isoformat()
    text = table.page(
        rows,
        studies,
        whole,
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


def measured_or_extrapolated(
    cell: Cell, rows: list[Row], model: Path, options: argparse.Namespace
) -> Row | None:
    """The row of a cell; None, with a word why, where it neither fits nor follows from another."""
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
            return extrapolation.extrapolated(cell, same[0])
        print(f"does not fit memory: {cell.described()}", file=sys.stderr)
        return None
    try:
        return measure.measured(cell, model, rounds=options.rounds, seconds=SECONDS[options.grid])
    except MemoryError:
        print(f"did not fit memory: {cell.described()}", file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main())
