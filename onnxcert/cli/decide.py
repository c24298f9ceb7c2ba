"""`onnxcert decide`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer

from onnxcert.cli.parsing import numbers
from onnxcert.correction import CORRECTIONS
from onnxcert.deciding import Again
from onnxcert.decision import PROCEDURES
from onnxcert.decision.change import Change
from onnxcert.report.lines import columns
from onnxcert.report.summary import Summary
from onnxcert.report.table import headings, json_object, row_cells
from onnxcert.store import open_results


def command(
    path: Path = typer.Argument(
        ..., help="Folder that onnxcert certify wrote, or file that onnxcert pack wrote."
    ),
    tau: Any | None = typer.Option(
        None,
        "--tau",
        parser=numbers,
        metavar="TAU[,TAU...]",
        help="What P(vote = class) must exceed, from 0.5; of several stored tau the others stay, "
        "behind the ones given.",
    ),
    alpha: float | None = typer.Option(None, "--alpha", help="Chance that the guarantee fails."),
    alpha_scope: str | None = typer.Option(
        None,
        "--alpha-scope",
        metavar="input|dataset",
        help="input: alpha is for each input by itself; dataset: all inputs share it.",
    ),
    correction: str | None = typer.Option(
        None, "--correction", help=f"Multiple-testing procedure: {', '.join(CORRECTIONS)}."
    ),
    budget: str | None = typer.Option(
        None,
        "--budget",
        metavar="B|PERCENT%",
        help="Wrong components tolerated by k-FWER: a number, or a share such as 0.1%.",
    ),
    procedure: str | None = typer.Option(
        None, "--procedure", help=f"How votes become a certificate: {', '.join(PROCEDURES)}."
    ),
    radius_map: bool | None = typer.Option(
        None,
        "--radius-map/--no-radius-map",
        help="Whether each component is certified at the largest radius that its votes allow.",
    ),
    floor: float | None = typer.Option(None, "--floor", help="Smallest tau of the radius map."),
    fixed_beforehand: bool = typer.Option(
        False,
        "--fixed-beforehand",
        help="Declare that all this was fixed before anybody saw the votes; the record says that "
        "you did.",
    ),
    out: Path | None = typer.Option(
        None, "--out", metavar="DIR", help="Write the new results to this new folder."
    ),
    as_json: bool = typer.Option(
        False, "--json", help="Print one JSON object to standard output and nothing else there."
    ),
) -> int:
    """Decide certificates again from stored votes, without the model.

    What is not given stays as stored. What was chosen after the votes were seen voids the level,
    but for a few choices that the stored certificate covers: the warning, the statement and the
    record name it. The stored results are never written to.
    """
    change = Change(
        taus=tau,
        alpha=alpha,
        alpha_scope=alpha_scope,  # type: ignore[arg-type]
        correction=correction,
        budget=budget,
        procedure=procedure,
        radius_map=radius_map,
        floor=floor,
    )
    again = Again.of(open_results(path), change, fixed_beforehand=fixed_beforehand)
    before, after = again.before(), again.after(out)
    if as_json:
        found = {
            "stored": _object(before, str(path)),
            "decided": _object(after, "" if out is None else str(out)),
            "hindsight": list(again.rule.hindsight),
            "fixed_beforehand": fixed_beforehand,
        }
        print(json.dumps(found, allow_nan=False))
    else:
        print("\n".join(_page(before, after)))
        if out is not None:
            print(f"\nresults in {out}")
    if again.warning:
        print(f"onnxcert: {again.warning}.", file=sys.stderr)
    return 0


def _object(summary: Summary, where: str) -> dict[str, Any]:
    return json_object(
        summary,
        model=summary.model,
        settings=summary.settings,
        skipped=[f"{name}: {reason}" for name, reason in summary.skipped.items()],
        warnings=summary.notes,
        seconds=None,
        out=where,
    )


def _page(before: Summary, after: Summary) -> list[str]:
    cells = [["", *headings(after)]]
    for name, summary in (("stored", before), ("decided again", after)):
        rows = [row for key, row in summary.rows.items() if key.startswith("certified")]
        for tau, row in zip(summary.taus, rows, strict=True):
            cells.append([f"{name}, tau {tau:g}", *row_cells(summary, row)])
    changed = [
        f"{name}: {_said(before, name)}, now {_said(after, name)}"
        for name in dict.fromkeys((*before.settings, *after.settings))
        if before.settings.get(name) != after.settings.get(name) and name != "hindsight"
    ]
    inputs = f"{after.inputs} input{'' if after.inputs == 1 else 's'}"
    return [
        f"{inputs} decided again"
        + (f" ({'; '.join(changed)})" if changed else ", by the same rule"),
        "",
        *columns(cells),
        "",
        after.statement,
        *(f"note: {note}" for note in after.notes),
    ]


def _said(summary: Summary, name: str) -> str:
    if name not in summary.settings:
        return "nothing"
    value = summary.settings[name]
    return value if isinstance(value, str) else json.dumps(value)
