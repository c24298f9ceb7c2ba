"""The command `onnxcert decide`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from onnxcert.api.stored import redecide
from onnxcert.cli.options.base import AsJson, ResultsPath
from onnxcert.cli.options.parsing import Numbers, parse_numbers
from onnxcert.cli.report import stored_object
from onnxcert.report.tables.summary import Summary
from onnxcert.report.tables.table import headings, row_cells
from onnxcert.report.tables.text import format_columns
from onnxcert.statistics import PROCEDURES
from onnxcert.statistics.correction import CORRECTIONS


def command(
    path: ResultsPath,
    tau: Annotated[
        Numbers | None,
        typer.Option(
            parser=parse_numbers,
            metavar="TAU[,TAU...]",
            help="Threshold that P(vote = class) must exceed, at least 0.5. Other stored tau are "
            "kept, after the ones given.",
        ),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Largest probability that the guarantee fails.")
    ] = None,
    alpha_scope: Annotated[
        str | None,
        typer.Option(
            metavar="input|dataset",
            help="input: each input has its own alpha; dataset: all inputs share one alpha.",
        ),
    ] = None,
    correction: Annotated[
        str | None,
        typer.Option(help=f"Multiple-testing procedure: {', '.join(CORRECTIONS)}."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="B|PERCENT%",
            help="Number of wrong certificates to tolerate under k-FWER, or a share such as 0.1%.",
        ),
    ] = None,
    procedure: Annotated[
        str | None, typer.Option(help=f"Certification procedure: {', '.join(PROCEDURES)}.")
    ] = None,
    radius_map: Annotated[
        bool | None,
        typer.Option(
            help="Certify each component at the largest radius that its votes allow, or not."
        ),
    ] = None,
    floor: Annotated[float | None, typer.Option(help="Smallest tau of the radius map.")] = None,
    fixed_beforehand: Annotated[
        bool,
        typer.Option(
            "--fixed-beforehand",
            help="Declare that these settings were fixed before anybody saw the votes; the record "
            "stores this declaration.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="New folder for the new results.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Decide certificates again from stored votes, without running the model.

    Settings that are not given stay as stored. Settings chosen after the votes were seen void the
    level alpha, except a few choices that the stored certificate covers; the warning, the statement
    and the record name them. The stored results are not changed.
    """
    again = redecide(
        path,
        tau=tau,
        alpha=alpha,
        alpha_scope=alpha_scope,  # type: ignore[arg-type]
        correction=correction,
        budget=budget,
        procedure=procedure,
        radius_map=radius_map,
        floor=floor,
        fixed_beforehand=fixed_beforehand,
        out=out,
    )
    before, after = again.stored.summary, again.decided.summary
    if as_json:
        found = {
            "stored": stored_object(before, str(path)),
            "decided": stored_object(after, "" if out is None else str(out)),
            "hindsight": list(again.rule.hindsight),
            "fixed_beforehand": fixed_beforehand,
        }
        print(json.dumps(found, allow_nan=False))
    else:
        print("\n".join(_page(before, after, again.warning)))
        if out is not None:
            print(f"\nresults in {out}")
    if again.warning:
        print(f"onnxcert: {again.warning}.", file=sys.stderr)
    return 0


def _page(before: Summary, after: Summary, warning: str) -> list[str]:
    cells = [["", *headings(after)]]
    for name, summary in (("stored", before), ("decided again", after)):
        rows = [row for key, row in summary.rows.items() if key.startswith("certified")]
        for tau, row in zip(summary.taus, rows, strict=True):
            cells.append([f"{name}, tau {tau:g}", *row_cells(summary, row)])
    changed = [
        f"{name}: {_format_setting(before, name)}, now {_format_setting(after, name)}"
        for name in dict.fromkeys((*before.settings, *after.settings))
        if before.settings.get(name) != after.settings.get(name) and name != "hindsight"
    ]
    inputs = f"{after.inputs} input{'' if after.inputs == 1 else 's'}"
    return [
        f"{inputs} decided again"
        + (f" ({'; '.join(changed)})" if changed else " with the same rule"),
        "",
        *format_columns(cells),
        "",
        after.statement,
        # The warning is printed to standard error.
        *(f"note: {note}" for note in after.notes if not (warning and note.startswith(warning))),
    ]


def _format_setting(summary: Summary, name: str) -> str:
    if name not in summary.settings:
        return "nothing"
    value = summary.settings[name]
    return value if isinstance(value, str) else json.dumps(value)
