"""`onnxcert merge`."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from onnxcert.cli.running import SOME_SKIPPED
from onnxcert.report.best_effort import BestEffort
from onnxcert.report.curve import write_summary_curve
from onnxcert.report.summary import summarise
from onnxcert.report.table import table
from onnxcert.store import Merged, ResultStore
from onnxcert.store import merge as merge_results


def command(
    out: Path = typer.Argument(
        ..., metavar="OUT", help="The folder to bring them together in: new, or of the same run."
    ),
    shards: list[Path] = typer.Argument(
        ..., metavar="SHARD...", help="Folders that onnxcert certify --shard wrote."
    ),
) -> int:
    """Bring the shards of one run together in one folder and print the table.

    OUT is then what one process would have written. Only parts of one run are merged: the same
    model, parameters and seed, and no input with two different results. What is not there yet is
    said; the same command, given again when it is, adds it.
    """
    merged = merge_results(out, shards)
    figures = BestEffort()
    if merged.names:
        summary = summarise(
            ResultStore(out).records(checked=True), listed=merged.listed, skipped=merged.skipped
        )
        write_summary_curve(out, summary, figures)
        print(table(summary))
    print(f"\nresults in {out}")
    if figures.missing:
        print(f"onnxcert: {figures.sentence()}", file=sys.stderr)
    for name, reason in merged.skipped.items():
        print(f"onnxcert: skipped {name}: {reason}", file=sys.stderr)
    if merged.missing:
        print(f"onnxcert: {_missing(merged)}", file=sys.stderr)
    return SOME_SKIPPED if merged.skipped or merged.missing else 0


def _missing(merged: Merged) -> str:
    said = f"{len(merged.missing)} of {merged.listed} inputs are not there"
    if merged.lacking:
        return f"{said}; " + "; ".join(
            f"shard {shard} lacks {count}" for shard, count in merged.lacking.items()
        )
    return f"{said}, such as {merged.missing[0]}"
