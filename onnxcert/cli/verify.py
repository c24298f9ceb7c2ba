"""The command `onnxcert verify`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from onnxcert.api.stored import verify as run_checks
from onnxcert.audit import Finding, Verification
from onnxcert.cli.options.base import AsJson, ResultsPath

MISMATCH, COULD_NOT_BE_CHECKED = 1, 2


def command(
    path: ResultsPath,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Model. Default: the path in the records.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Input files, folders or glob patterns; names may differ; may be repeated. "
            "Default: the paths in the records.",
        ),
    ] = None,
    independent: Annotated[
        bool,
        typer.Option(
            "--independent",
            help="Also compare the certificates with the Bonferroni, Holm and Benjamini-Yekutieli "
            "procedures of statsmodels.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check stored results: decide each certificate again from its votes and report mismatches.

    Compares labels, radius, threshold and statement with the votes, each record with its stored
    digest and with run.json, the model and the inputs with their digests if the files are found,
    and the label files with the record. --independent also compares the certificates with a second
    implementation of the correction; k-FWER, looks, IndivClass, JointClass and PREDICT have none
    and are reported as not checked. The model is not run, and figures are not checked.

    Exit status: 0 all checks passed; 1 there is a mismatch; 2 there is nothing to verify, or the
    folder contains a symlink or a file name that onnxcert does not use, or something could not be
    checked (limits, permissions, memory, a failing disk) and all other checks passed.

    Digests are not signatures: consistent changes of votes, settings, files and digests are not
    detected. Store the packed file, or its checksum, in a place with write protection.
    """
    found = run_checks(path, model=model, inputs=inputs or (), independent=independent)
    if as_json:
        print(json.dumps({"path": str(path), "fits": found.fits, **asdict(found)}))
    else:
        _print(found)
    if found.findings:
        return MISMATCH
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
    records = f"{found.records} record{'' if found.records == 1 else 's'}"
    mismatches, unread = len(found.findings), len(found.troubles)
    if found.fits:
        print(f"{records}, all checks passed")
        return
    parts = [f"{mismatches} mismatch{'' if mismatches == 1 else 'es'}"] if mismatches else []
    parts += [f"{unread} item{'' if unread == 1 else 's'} could not be checked"] if unread else []
    print(f"{records}, {', '.join(parts)}")


def _lines(found: Sequence[Finding]) -> Iterator[str]:
    """Yield one line per text, with the names of the records that it is about."""
    names: dict[str, list[str]] = {}
    for finding in found:
        names.setdefault(finding.text, []).append(finding.name)
    for text, records in names.items():
        if len(records) <= _FEW:
            yield f"{', '.join(records)}: {text}"
        else:
            yield f"{records[0]} and {len(records) - 1} more: {text}"
