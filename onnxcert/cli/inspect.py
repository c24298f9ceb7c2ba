"""The command `onnxcert inspect`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from onnxcert.cli.options.base import ClassNames, ModelPath
from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.runtime import RunningOptions, load_model
from onnxcert.cli.questions import print_interpretations
from onnxcert.cli.trial_input import try_model
from onnxcert.data import read_class_names, read_image
from onnxcert.data.points import read_cloud
from onnxcert.errors import ContractError, ParameterError
from onnxcert.model.bundled import find_model
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.question import MissingSettings
from onnxcert.model.detect.detect import detect
from onnxcert.model.detect.other_tasks import image_findings
from onnxcert.model.graph.file import ModelFile, write_contract
from onnxcert.model.graph.lint import Finding, group_by_message, lint, refuse_errors
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report.prediction import draw_cloud_prediction, draw_prediction


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
    given["trained_sigma"] = sigma
    given["class_names"] = read_class_names(class_names) if class_names else None
    try:
        contract = detect(file, given, thorough=True)
    except ContractError as error:
        if isinstance(error, MissingSettings) and error.contract is not None:
            _print(file, error.contract, _findings(file, error.contract), error.fields)
        print_interpretations(context, file, error, given)
        raise
    _refuse_wrong_axes(file, given, contract)
    findings = _findings(file, contract)
    _print(file, contract, findings)
    refuse_errors(findings, file.path)
    bands = contract.bands if isinstance(contract, ImageContract) else None
    if bands is not None and (columns is not None or category is not None):
        raise ParameterError(
            "--columns and --category are for point clouds, but the model takes images; leave "
            "them out."
        )
    segmenter = OnnxSegmenter(
        file, contract, **_preprocessing(running, contract, file), **running.device_options
    )
    if not try_model(segmenter, running.tile) and picture is None:
        print("\nnot tried: the model does not run on any usual size; give an input to try it")
    if picture is not None:
        if bands is not None:
            draw_prediction(out, segmenter, read_image(picture, bands))
        else:
            cloud = read_cloud(picture, columns=columns)
            cloud = replace(cloud, category=category) if category else cloud
            draw_cloud_prediction(out, segmenter, segmenter.entry.preprocess(cloud))
        contract = segmenter.contract  # now includes the number of classes
        print(f"\ninput and prediction of the model drawn in {out}")
    if write is not None:
        write_contract(file, contract, write)
        print(f"\ncontract stored in {write}")
    return 0


def _preprocessing(running: RunningOptions, contract: Contract, file: ModelFile) -> dict[str, Any]:
    """Return the preprocessing of the options; by default, resize to a fixed input size."""
    preprocessing = running.preprocessing(contract, file)
    fit = preprocessing["fit"]
    unchanged = fit.scale == 1.0 and fit.size is None and fit.tile is None and not fit.scales
    if isinstance(contract, ImageContract) and unchanged:
        preprocessing["fit"] = replace(fit, size=contract.size)
    return preprocessing


def _findings(file: ModelFile, contract: Contract) -> tuple[Finding, ...]:
    return (*lint(file.proto, dict(contract.feeds)), *image_findings(contract, file))


def _refuse_wrong_axes(file: ModelFile, given: dict[str, Any], contract: Contract) -> None:
    """Raise ContractError if the declared output axes differ from the actual ones.

    `certify` would find this out only at the first image.
    """
    try:
        declared = detect(file, given, require_range=False)
    except ContractError:
        return  # then certify, too, runs the model to find the axes
    if (declared.output_axes, declared.classes) != (contract.output_axes, contract.classes):
        raise ContractError(
            f"{file.path}: the output {contract.output!r} is declared as {declared.output_axes} "
            f"with {declared.classes} classes, but it is {contract.output_axes} with "
            f"{contract.classes}; pass --output-layout {contract.output_layout}, or export the "
            "model with its actual axes."
        )


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
