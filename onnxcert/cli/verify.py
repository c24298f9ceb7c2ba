"""The command `onnxcert verify`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from onnxcert.api.stored import verify as run_checks
from onnxcert.cli.json_output import print_object
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
        print_object("verify", {"path": str(path), "fits": found.fits, **asdict(found)})
    else:
        print(found)
    if found.findings:
        return MISMATCH
    return COULD_NOT_BE_CHECKED if found.troubles else 0
