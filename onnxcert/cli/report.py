"""The command `onnxcert report`."""

from __future__ import annotations

from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.base import AsJson, PerClass, ResultsPath
from onnxcert.report.objects.run import run_object
from onnxcert.report.tables.abstention import SOME
from onnxcert.report.tables.summary import summarise
from onnxcert.report.tables.table import table
from onnxcert.results import open_results


def command(path: ResultsPath, per_class: PerClass = False, as_json: AsJson = False) -> int:
    """Print the table of a finished or interrupted run, from its stored results."""
    results = open_results(path)
    run = results.run() or {}
    listed, skipped = run.get("listed"), run.get("skipped")
    summary = summarise(
        results.records(checked=True),
        listed=len(listed) if isinstance(listed, list) else 0,
        skipped=skipped if isinstance(skipped, dict) else {},
        explain=None if as_json or per_class else SOME,
    )
    if as_json:
        print_object("report", run_object(summary, out=str(path)))
    else:
        print(table(summary, per_class=per_class))
    return 0
