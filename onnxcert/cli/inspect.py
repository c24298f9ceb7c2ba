"""The command `onnxcert inspect`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from onnxcert.api.inspection import Inspection, find_findings
from onnxcert.api.inspection import inspect as inspect_model
from onnxcert.api.keywords import RuntimeKeywords, select_keywords
from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.base import AsJson, ClassNames, ModelPath
from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.runtime import RunningOptions, load_model
from onnxcert.cli.questions import print_interpretations
from onnxcert.errors import ContractError, OnnxcertError
from onnxcert.model.bundled import find_model
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.question import MissingSettings
from onnxcert.model.graph.file import ModelFile
from onnxcert.model.graph.lint import Finding, group_by_message
from onnxcert.report.objects.inspection import inspection_object


def command(
    context: typer.Context,
    model: ModelPath,
    picture: Annotated[
        Path | None,
        typer.Argument(
            help="Image or point cloud; draw the model's input and prediction as a PNG file."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="PNG file for the drawing of PICTURE.")
    ] = Path("inspect.png"),
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Store the contract in a copy of the model."),
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of the training noise, stored in the copy of --write."
        ),
    ] = None,
    class_names: ClassNames = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Columns of the point file.")
    ] = None,
    category: Annotated[
        str | None, typer.Option(metavar="NAME", help="Category of the shape, e.g. chair.")
    ] = None,
    as_json: AsJson = False,
    *,
    running: RunningOptions,
    contract_options: ContractOptions,
) -> int:
    """Print the contract of a model, the source of each field, and the findings of the lint.

    Also runs the model on a random input. Exit status 2 if certify would refuse the model, also if
    a setting is missing.
    """
    given = contract_options.collect()
    file = load_model(find_model(model))
    known: list[Inspection] = []

    def keep(found: Inspection) -> None:
        known.append(found)
        if not as_json:
            _print(found.file, found.contract, found.findings)

    try:
        found = inspect_model(
            file,
            picture,
            out=out,
            write=write,
            sigma=sigma,
            class_names=class_names,
            columns=columns,
            category=category,
            on_contract=keep,
            **{**select_keywords(vars(running), RuntimeKeywords), **given},
        )
    except OnnxcertError as error:
        missing: Collection[str] = ()
        if isinstance(error, MissingSettings) and error.contract is not None:
            missing = error.fields
            known = [Inspection(file, error.contract, find_findings(file, error.contract))]
            if not as_json:
                _print(file, error.contract, known[0].findings, missing)
        if as_json:
            for one in known:
                _print_object(one, missing, refused=str(error))
        elif isinstance(error, ContractError):
            print_interpretations(context, file, error, {**given, "trained_sigma": sigma})
        raise
    if as_json:
        _print_object(found)
        return 0
    if not found.tried and picture is None:
        print("\nnot tried: the model does not run on any usual size; give an input to try it")
    if picture is not None:
        print(f"\ninput and prediction of the model drawn in {out}")
    if write is not None:
        print(f"\ncontract stored in {write}")
    return 0


def _print_object(
    found: Inspection, missing: Collection[str] = (), *, refused: str | None = None
) -> None:
    known = inspection_object(
        found.file,
        found.contract,
        found.findings,
        missing=missing,
        tried=found.tried,
        refused=refused,
    )
    print_object("inspect", known)


def _print(
    file: ModelFile,
    contract: Contract,
    findings: Sequence[Finding],
    missing: Collection[str] = (),
) -> None:
    print(f"{file.path}\nsha256 {file.sha256}\nopset {file.opset}\n")
    for field in fields(contract):
        if field.name != "sources":
            value = getattr(contract, field.name)
            source = contract.sources.get(field.name)
            text = _UNSET.get(field.name, "not set")
            if source and value != ():
                text = _FORMATS.get(field.name, _format)(value)
            origin = f"({source})" if source else ""
            if field.name in missing:
                text, origin = "open", ""
            print(f"{field.name:16} {text:32} {origin}".rstrip())
    print(f"\nlint: {'nothing found' if not findings else ''}".rstrip())
    for finding in group_by_message(findings):
        print(f"  {finding.severity}: node {finding.node} {finding.message}")
    for note in file.list_unused(contract):
        print(f"not used: {note}")


# Field of the contract -> text for a field without a value.
_UNSET = {
    "batch": "free",
    "bands": "none",
    "size": "free",
    "multiple": "any",
    "resize": "none",
    "mean": "none",
    "std": "none",
    "normalise": "after",
    "feeds": "none",
    "features": "none",
    "points": "any number",
    "categories": "none",
    "category_input": "none",
    "restricted": "no",
    "passes": "1",
    "threshold": "default of the form",
    "classes": "known after the first run",
    "frame": "unit-sphere",
}


def _format_categories(categories: Sequence[tuple[str, Sequence[int]]]) -> str:
    """Return each category with its classes, in the format of a --categories file."""
    return "; ".join(f"{name} {' '.join(map(str, parts))}" for name, parts in categories)


def _format(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(_format(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


_FORMATS = {"categories": _format_categories}
