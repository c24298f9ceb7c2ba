"""`onnxcert diff`."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from onnxcert.report.comparison import compare
from onnxcert.report.comparison_table import comparison_object, comparison_table
from onnxcert.store import open_results


def command(
    a: Path = typer.Argument(..., metavar="A", help="Folder of a run, or a packed file."),
    b: Path = typer.Argument(..., metavar="B", help="Another one."),
    as_json: bool = typer.Option(
        False, "--json", help="Print one JSON object to standard output and nothing else there."
    ),
) -> int:
    """Compare two runs: every parameter that differs, their scores, and where labels differ.

    Inputs are matched by name, and scores are taken over the inputs in common; where there is
    none, over each run's own. A component differs where both runs certify different classes, or
    where only one of them certifies any.
    """
    comparison = compare(open_results(a), open_results(b))
    if as_json:
        print(json.dumps(comparison_object(comparison), allow_nan=False))
    else:
        print(comparison_table(comparison))
    return 0
