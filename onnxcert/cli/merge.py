"""The command `onnxcert merge`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from onnxcert.cli import SOME_SKIPPED
from onnxcert.report.figures.curve import write_summary_curve
from onnxcert.report.figures.plotting import BestEffort
from onnxcert.report.tables.summary import summarise
from onnxcert.report.tables.table import table
from onnxcert.results import MergeResult, ResultStore
from onnxcert.results import merge as merge_results


def command(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Folder for the merged results: new, or of the same run."
        ),
    ],
    shards: Annotated[
        list[Path],
        typer.Argument(metavar="SHARD...", help="Results folders of onnxcert certify --shard."),
    ],
) -> int:
    """Merge the shards of one run into one folder and print the table.

    With all shards, OUT is identical to the results of one process. The shards must have the same
    model, settings and seed, and no input may have two different results. Missing shards are listed
    (exit status 3); run the same command again when they are finished.
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


def _missing(merged: MergeResult) -> str:
    text = f"{len(merged.missing)} of {merged.listed} inputs are missing"
    if merged.missing_by_shard:
        return f"{text}; " + "; ".join(
            f"shard {shard} lacks {count}" for shard, count in merged.missing_by_shard.items()
        )
    return f"{text}, such as {merged.missing[0]}"
