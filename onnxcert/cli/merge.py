"""The command `onnxcert merge`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from onnxcert.api.stored import MergedRun
from onnxcert.api.stored import merge as merge_results
from onnxcert.cli import SOME_SKIPPED
from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.base import AsJson
from onnxcert.cli.skipped import print_skipped
from onnxcert.report.objects.run import run_object
from onnxcert.results import MergeResult


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
    as_json: AsJson = False,
) -> int:
    """Merge the shards of one run into one folder and print the table.

    With all shards, OUT is identical to the results of one process. The shards must have the same
    model, settings and seed, and no input may have two different results. Missing shards are listed
    (exit status 3); run the same command again when they are finished.
    """
    found = merge_results(out, shards)
    if as_json:
        print_object("merge", _object(out, found))
    else:
        if found.report is not None:
            print(found.report)
        print(f"\nresults in {out}")
    for warning in found.warnings:
        print(f"onnxcert: {warning}", file=sys.stderr)
    print_skipped(found.skipped)
    if found.missing:
        print(f"onnxcert: {_missing(found.merged)}", file=sys.stderr)
    return SOME_SKIPPED if found.skipped or found.missing else 0


def _object(out: Path, found: MergedRun) -> dict[str, Any]:
    merged = found.merged
    return {
        "out": str(out),
        "finished": len(merged.names),
        "listed": merged.listed,
        "missing": list(merged.missing),
        "missing_by_shard": dict(merged.missing_by_shard),
        "skipped": [{"name": name, "reason": why} for name, why in found.skipped.items()],
        "run": None if found.report is None else run_object(found.report.summary, out=str(out)),
    }


def _missing(merged: MergeResult) -> str:
    text = f"{len(merged.missing)} of {merged.listed} inputs are missing"
    if merged.missing_by_shard:
        return f"{text}; " + "; ".join(
            f"shard {shard} lacks {count}" for shard, count in merged.missing_by_shard.items()
        )
    return f"{text}, such as {merged.missing[0]}"
