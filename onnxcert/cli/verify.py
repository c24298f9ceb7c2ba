"""`onnxcert verify`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from onnxcert.model.bundled import find_model
from onnxcert.store import open_results
from onnxcert.verification import Finding, Verification
from onnxcert.verification import verify as run_checks

NO_LONGER_FITS, COULD_NOT_BE_CHECKED = 1, 2


def command(
    path: Path = typer.Argument(
        ..., help="Folder that onnxcert certify wrote, or file that onnxcert pack wrote."
    ),
    model: str | None = typer.Option(
        None, "--model", metavar="MODEL", help="The model; by default where the records say."
    ),
    inputs: list[str] | None = typer.Option(
        None,
        "--inputs",
        metavar="PATH",
        help="Pictures, folders or globs, under any name; may be repeated. By default where the "
        "records say.",
    ),
    independent: bool = typer.Option(
        False,
        "--independent",
        help="Also compare certificates with statsmodels' Bonferroni, Holm and "
        "Benjamini-Yekutieli.",
    ),
    as_json: bool = typer.Option(
        False, "--json", help="Print one JSON object to standard output and nothing else there."
    ),
) -> int:
    """Decide every certificate again from its votes and say what no longer fits.

    Compares labels, radius, threshold and statement with the votes, each record with the digest
    it carries and with run.json, the model and the inputs with their digests where they are found,
    and the label files with the record. --independent compares what is certified with a second
    implementation of the correction; k-FWER, looks, IndivClass, JointClass and PREDICT have none,
    and are named as not checked. The model is not run, and drawn pictures are not looked at.

    Exit status: 0 all fits, 1 something does not, 2 there is nothing to verify, the folder contains
    a symlink or a file name that onnxcert does not give, or all that could be checked fits but
    something could not be checked (limits, permissions, memory, a failing disk).

    Digests are no signatures: somebody who changes votes, settings, files and digests in step is
    not found. Keep the pack, or its own checksum, where nobody can edit it.
    """
    given = find_model(model) if model is not None else None
    found = run_checks(
        open_results(path), model=given, inputs=inputs or (), independent=independent
    )
    if as_json:
        print(json.dumps({"path": str(path), "fits": found.fits, **asdict(found)}))
    else:
        _print(found)
    if found.findings:
        return NO_LONGER_FITS
    return COULD_NOT_BE_CHECKED if found.troubles else 0


_FEW = 3


def _print(found: Verification) -> None:
    for line in _lines(found.findings):
        print(line)
    for line in _lines(found.troubles):
        print(f"could not be checked: {line}")
    for text in found.unchecked:
        print(f"not checked: {text}")
    for text in found.notes:
        print(f"note: {text}")
    counted = f"{found.records} record{'' if found.records == 1 else 's'}"
    misfits = len(found.findings)
    unread = len(found.troubles)
    if found.fits:
        print(f"{counted}, all fits")
        return
    told = [f"{misfits} thing{' does' if misfits == 1 else 's do'} not fit"] if misfits else []
    told += [f"{unread} thing{'' if unread == 1 else 's'} could not be checked"] if unread else []
    print(f"{counted}, {', '.join(told)}")


def _lines(found: Sequence[Finding]) -> Iterator[str]:
    """Yield one line for each text, with the names that it is about."""
    names: dict[str, list[str]] = {}
    for finding in found:
        names.setdefault(finding.text, []).append(finding.name)
    for text, those in names.items():
        who = those[0] if len(those) == 1 else f"{those[0]} and {len(those) - 1} more"
        yield f"{', '.join(those) if len(those) <= _FEW else who}: {text}"
