"""The command `onnxcert report`."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from onnxcert.report.tables.summary import summarise
from onnxcert.report.tables.table import json_object, table
from onnxcert.results import open_results


def command(
    path: Path = typer.Argument(
        ..., help="Results folder of onnxcert certify, or packed file of onnxcert pack."
    ),
    per_class: bool = typer.Option(False, "--per-class", help="Print the IoU of each class."),
    as_json: bool = typer.Option(
        False, "--json", help="Print only one JSON object to standard output."
    ),
) -> int:
    """Print the table of a finished or interrupted run, from its stored results."""
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
