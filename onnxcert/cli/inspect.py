"""`onnxcert inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import typer

from onnxcert.cli.contract_options import with_contract_options
from onnxcert.cli.loading import loaded
from onnxcert.cli.parsing import height_and_width
from onnxcert.cli.readings import print_readings
from onnxcert.cli.running_options import VIEWS, model_tile
from onnxcert.errors import ContractError, ParameterError
from onnxcert.inputs import read_class_names, read_image
from onnxcert.inputs.clouds import read_cloud
from onnxcert.model.bundled import find_model
from onnxcert.model.contract import Contract
from onnxcert.model.graph import ModelFile, write_contract
from onnxcert.model.inference import infer
from onnxcert.model.lint import Finding, lint, refuse_errors
from onnxcert.model.other_tasks import image_findings
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.pictures.fit import Fit
from onnxcert.model.pictures.value_range import settled_range
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report.clouds.view import draw_cloud_answer
from onnxcert.report.view import draw_answer


@with_contract_options
def command(
    context: typer.Context,
    model: str = typer.Argument(..., help="ONNX file, or a bundled model: street, parts."),
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
    size: Any | None = typer.Option(
        None,
        "--size",
        parser=height_and_width,
        metavar="HxW",
        help="The model sees PICTURE resized to this height and width.",
    ),
    scale: float = typer.Option(
        1.0, "--scale", help="The model sees PICTURE resized by this factor."
    ),
    pad_to: int | None = typer.Option(
        None, "--pad-to", metavar="K", help="Continue PICTURE until both sides are multiples of K."
    ),
    scales: Any | None = VIEWS["scales"][1],
    flip: bool = VIEWS["flip"][1],
    tile: Any | None = VIEWS["tile"][1],
    overlap: Any | None = VIEWS["overlap"][1],
    columns: str | None = typer.Option(
        None, "--columns", metavar="NAMES", help="What the columns of a point file are."
    ),
    category: str | None = typer.Option(
        None, "--category", metavar="NAME", help="What the shape is, e.g. chair."
    ),
    *,
    given: dict[str, Any],
) -> int:
    """Print how onnxcert would talk to a model, who said so, and what the lint finds.

    Exit status 2 where certify would refuse the model.
    """
    file = loaded(find_model(model))
    arguments = context.obj["arguments"]
    given["trained_sigma"] = sigma
    given["class_names"] = read_class_names(class_names) if class_names else None
    try:
        contract = infer(file, given, settle=False, thorough=True)
    except ContractError as error:
        print_readings(file, str(error), given, arguments)
        raise
    _refuse_wrong_axes(file, given, contract)
    question = ""
    try:
        if isinstance(contract, PictureContract):
            contract = settled_range(contract)
    except ContractError as error:
        question = str(error)
    findings = (*lint(file.proto, dict(contract.feeds)), *image_findings(contract, file))
    _print(file, contract, findings)
    if question:
        if picture or write:
            raise ContractError(f"{file.path}: {question}")
        print(f"\nopen: {question}")
        print_readings(file, question, given, arguments)
        return 0
    refuse_errors(findings, file.path)
    if picture is not None:
        views: dict[str, Any] = {
            "scales": scales or (),
            "flip": flip,
            "tile": tile,
            "overlap": overlap,
        }
        if isinstance(contract, PictureContract):
            if columns is not None or category is not None:
                raise ParameterError(
                    "--columns and --category are for point clouds, but the model takes pictures; "
                    "leave them out."
                )
            if tile == "model":
                views["tile"] = model_tile(contract, file)
            whole = scale == 1.0 and tile is None and not scales
            fit = Fit(
                size=size or (contract.size if whole else None),
                scale=scale,
                pad_to=(contract.multiple or 1) if pad_to is None else pad_to,
                **views,
            )
            segmenter = OnnxSegmenter(file, contract, fit=fit, device="cpu")
            draw_answer(out, segmenter, read_image(picture, contract.bands))
        else:
            if tile == "model":
                views["tile"] = (1, 1)
            # Refused if anything was said.
            fit = Fit(size=size, scale=scale, pad_to=pad_to or 1, **views)
            segmenter = OnnxSegmenter(file, contract, fit=fit, device="cpu")
            cloud = read_cloud(picture, columns=columns)
            cloud = replace(cloud, category=category) if category else cloud
            draw_cloud_answer(out, segmenter, segmenter.entry.prepared(cloud))
        contract = segmenter.contract  # now with the number of classes
        print(f"\nwhat the model sees and answers is drawn in {out}")
    if write is not None:
        write_contract(file, contract, write)
        print(f"\ncontract stored in {write}")
    return 0


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


def _print(file: ModelFile, contract: Contract, findings: Sequence[Finding]) -> None:
    print(f"{file.path}\nsha256 {file.sha256}\nopset {file.opset}\n")
    for field in fields(contract):
        if field.name != "sources":
            value = getattr(contract, field.name)
            source = contract.sources.get(field.name)
            show = _SHOWN.get(field.name, _show)
            shown = show(value) if source and value != () else _OPEN.get(field.name, "not said")
            print(f"{field.name:16} {shown:32} {f'({source})' if source else ''}".rstrip())
    print(f"\nlint: {'nothing found' if not findings else ''}".rstrip())
    for finding in findings:
        print(f"  {finding.severity}: node {finding.node} {finding.message}")


_OPEN = {
    "batch": "free",
    "bands": "none",
    "size": "free",
    "multiple": "any",
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
