"""The command `onnxcert report`."""

from __future__ import annotations

import json
from typing import Any

from onnxcert.api.report import report as make_report
from onnxcert.cli.options.base import AsJson, PerClass, ResultsPath
from onnxcert.report.tables.summary import Summary
from onnxcert.report.tables.table import json_object


def command(path: ResultsPath, per_class: PerClass = False, as_json: AsJson = False) -> int:
    """Print the table of a finished or interrupted run, from its stored results."""
    found = make_report(path)
    if as_json:
        print(json.dumps(stored_object(found.summary, str(path)), allow_nan=False))
    else:
        print(found.table(per_class=per_class))
    return 0


def stored_object(summary: Summary, out: str) -> dict[str, Any]:
    """Return stored results as JSON values; `out` is their folder or file."""
    return json_object(
        summary,
        model=summary.model,
        settings=summary.settings,
        skipped=[f"{name}: {reason}" for name, reason in summary.skipped.items()],
        warnings=summary.notes,
        seconds=None,
        out=out,
    )
