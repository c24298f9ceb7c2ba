"""`onnxcert report`."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from onnxcert.report.summary import summarise
from onnxcert.report.table import json_object, table
from onnxcert.store import open_results


def command(
    path: Path = typer.Argument(
        ..., help="Folder that onnxcert certify wrote, or file that onnxcert pack wrote."
    ),
    per_class: bool = typer.Option(False, "--per-class", help="Print the IoU of each class."),
    as_json: bool = typer.Option(
        False, "--json", help="Print one JSON object to standard output and nothing else there."
    ),
) -> int:
    """Print the table of a finished or interrupted run again, from the store alone."""
    results = open_results(path)
    run = results.run() or {}
    listed, skipped = run.get("listed"), run.get("skipped")
    summary = summarise(
        results.records(checked=True),
        listed=len(listed) if isinstance(listed, list) else 0,
        skipped=skipped if isinstance(skipped, dict) else {},
    )
    if as_json:
        result = json_object(
            summary,
            model=summary.model,
            settings=summary.settings,
            skipped=[f"{name}: {reason}" for name, reason in summary.skipped.items()],
            warnings=summary.notes,
            seconds=None,
            out=str(path),
        )
        print(json.dumps(result, allow_nan=False))
    else:
        print(table(summary, per_class=per_class))
    return 0
