"""`onnxcert inspect`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import typer

from onnxcert.cli.contract_options import with_contract_options
from onnxcert.cli.loading import loaded
from onnxcert.cli.readings import print_readings
from onnxcert.cli.running_options import Running, with_running_options
from onnxcert.cli.trial_input import try_model
from onnxcert.errors import ContractError, ParameterError
from onnxcert.inputs import read_class_names, read_image
from onnxcert.inputs.clouds import read_cloud
from onnxcert.model.bundled import find_model
from onnxcert.model.contract import Contract
from onnxcert.model.graph import ModelFile, write_contract
from onnxcert.model.inference import infer
from onnxcert.model.lint import Finding, lint, refuse_errors, together
from onnxcert.model.other_tasks import image_findings
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.question import OpenFacts
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.sidecars.carried import unused
from onnxcert.report.clouds.view import draw_cloud_answer
from onnxcert.report.view import draw_answer


@with_running_options
@with_contract_options
def command(
    context: typer.Context,
    model: str = typer.Argument(
        ..., help="ONNX file, a folder with one, or a bundled model: street, parts."
    ),
    picture: Path | None = typer.Argument(
        None, help="Show what the model sees and answers on this picture or shape, as a PNG."
    ),
    out: Path = typer.Option(
        Path("inspect.png"), "--out", metavar="FILE", help="Where the PNG of PICTURE goes."
    ),
    write: Path | None = typer.Option(
        None, "--write", metavar="FILE", help="Store the contract in a copy of the model."
    ),
    sigma: float | None = typer.Option(
        None, "--sigma", help="Noise the model was trained with, to be stored with --write."
    ),
    class_names: Path | None = typer.Option(
        None, "--class-names", metavar="FILE", help="Class names, one a line, in order."
    ),
    columns: str | None = typer.Option(
        None, "--columns", metavar="NAMES", help="What the columns of a point file are."
    ),
    category: str | None = typer.Option(
        None, "--category", metavar="NAME", help="What the shape is, e.g. chair."
    ),
    *,
    given: dict[str, Any],
    running: Running,
) -> int:
    """Print how onnxcert would talk to a model, the source of each part, and what the lint finds.

    Runs the model on a random input, too. Exit status 2 where certify would refuse the model, also
    where a setting is missing.
    """
    file = loaded(find_model(model))
    arguments = context.obj["arguments"]
    given["trained_sigma"] = sigma
    given["class_names"] = read_class_names(class_names) if class_names else None
    try:
        contract = infer(file, given, thorough=True)
    except OpenFacts as error:
        if error.contract is not None:
            _print(file, error.contract, _findings(file, error.contract), error.fields)
        if len(error.questions) == 1:
            print_readings(file, str(error), given, arguments)
        raise
    except ContractError as error:
        print_readings(file, str(error), given, arguments)
        raise
    _refuse_wrong_axes(file, given, contract)
    findings = _findings(file, contract)
    _print(file, contract, findings)
    refuse_errors(findings, file.path)
    bands = contract.bands if isinstance(contract, PictureContract) else None
    if bands is not None and (columns is not None or category is not None):
        raise ParameterError(
            "--columns and --category are for point clouds, but the model takes pictures; leave "
            "them out."
        )
    segmenter = OnnxSegmenter(file, contract, **_entry(running, contract, file), **running.options)
    if not try_model(segmenter, running.values["tile"]) and picture is None:
        print("\nnot tried: the model runs on none of the usual sizes; name an input to try it")
    if picture is not None:
        if bands is not None:
            draw_answer(out, segmenter, read_image(picture, bands))
        else:
            cloud = read_cloud(picture, columns=columns)
            cloud = replace(cloud, category=category) if category else cloud
            draw_cloud_answer(out, segmenter, segmenter.entry.prepared(cloud))
        contract = segmenter.contract  # now with the number of classes
        print(f"\nwhat the model sees and answers is drawn in {out}")
    if write is not None:
        write_contract(file, contract, write)
        print(f"\ncontract stored in {write}")
    return 0


def _entry(running: Running, contract: Contract, file: ModelFile) -> dict[str, Any]:
    """How inputs are brought to the model: as the options say, or in the one size that it takes."""
    entry = running.entry(contract, file)
    fit = entry["fit"]
    whole = fit.scale == 1.0 and fit.size is None and fit.tile is None and not fit.scales
    if isinstance(contract, PictureContract) and whole:
        entry["fit"] = replace(fit, size=contract.size)
    return entry


def _findings(file: ModelFile, contract: Contract) -> tuple[Finding, ...]:
    return (*lint(file.proto, dict(contract.feeds)), *image_findings(contract, file))


def _refuse_wrong_axes(file: ModelFile, given: dict[str, Any], contract: Contract) -> None:
    """Raise ContractError where the file declares other axes of its answer than it gives, which
    `certify` would find out with the first picture."""
    try:
        declared = infer(file, given, settle=False)
    except ContractError:
        return  # certify tries it as well, then
    if (declared.output_axes, declared.classes) != (contract.output_axes, contract.classes):
        raise ContractError(
            f"{file.path}: the output {contract.output!r} is declared as {declared.output_axes} of "
            f"{declared.classes} classes, and what it gives is {contract.output_axes} of "
            f"{contract.classes}; pass --output-layout {contract.output_layout}, or export it with "
            "the axes that it has."
        )


def _print(
    file: ModelFile,
    contract: Contract,
    findings: Sequence[Finding],
    asked: Collection[str] = (),
) -> None:
    print(f"{file.path}\nsha256 {file.sha256}\nopset {file.opset}\n")
    for field in fields(contract):
        if field.name != "sources":
            value = getattr(contract, field.name)
            source = contract.sources.get(field.name)
            show = _SHOWN.get(field.name, _show)
            shown = show(value) if source and value != () else _OPEN.get(field.name, "not said")
            told = f"({source})" if source else ""
            if field.name in asked:
                shown, told = "open", ""
            print(f"{field.name:16} {shown:32} {told}".rstrip())
    print(f"\nlint: {'nothing found' if not findings else ''}".rstrip())
    for finding in together(findings):
        print(f"  {finding.severity}: node {finding.node} {finding.message}")
    for note in unused(file, contract):
        print(f"not used: {note}")


_OPEN = {
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
    "threshold": "usual for the form",
    "classes": "known after the first run",
    "frame": "unit-sphere",
}


def _show_categories(categories: Sequence[tuple[str, Sequence[int]]]) -> str:
    """Each category with its classes, as a file for --categories has them."""
    return "; ".join(f"{name} {' '.join(map(str, parts))}" for name, parts in categories)


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(_show(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


_SHOWN = {"categories": _show_categories}
