"""The command `onnxcert diff`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from onnxcert.api.stored import diff as compare
from onnxcert.cli.options.base import AsJson
from onnxcert.report.tables.comparison import comparison_object, comparison_table


def command(
    a: Annotated[Path, typer.Argument(metavar="A", help="Results folder or packed file.")],
    b: Annotated[
        Path, typer.Argument(metavar="B", help="Results folder or packed file to compare.")
    ],
    as_json: AsJson = False,
) -> int:
    """Compare two runs: the parameters that differ, the scores, and where labels differ.

    Inputs are matched by name. Scores are computed over the inputs in common; if there are none,
    over the inputs of each run. A component differs if the runs certify different classes, or if
    only one run certifies it.
    """
    comparison = compare(a, b)
    if as_json:
        print(json.dumps(comparison_object(comparison), allow_nan=False))
    else:
        print(comparison_table(comparison))
    return 0
