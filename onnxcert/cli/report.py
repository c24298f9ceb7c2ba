"""The command `onnxcert report`."""

from __future__ import annotations

from onnxcert.api.report import report as make_report
from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.base import AsJson, PerClass, ResultsPath
from onnxcert.report.objects.run import run_object
from onnxcert.report.tables.abstention import SOME


def command(path: ResultsPath, per_class: PerClass = False, as_json: AsJson = False) -> int:
    """Print the table of a finished or interrupted run, from its stored results."""
    found = make_report(path, explain=None if as_json or per_class else SOME)
    if as_json:
        print_object("report", run_object(found.summary, out=str(path)))
    else:
        print(found.table(per_class=per_class))
    return 0
