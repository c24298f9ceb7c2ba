"""What onnxcert knows about a model: contract, sources, findings of the lint, a trial run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Unpack

from onnxcert.api.keyword_checks import check_keywords
from onnxcert.api.keywords import ModelKeywords, Name
from onnxcert.api.models import collect_contract, make_fit
from onnxcert.api.trial_input import try_model
from onnxcert.data import read_class_names, read_image
from onnxcert.data.points import read_cloud
from onnxcert.errors import ContractError, ParameterError
from onnxcert.model.bundled import find_model
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.detect.detect import detect
from onnxcert.model.detect.other_tasks import image_findings
from onnxcert.model.graph.file import ModelFile, read_model, write_contract
from onnxcert.model.graph.lint import Finding, lint, refuse_errors
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report.prediction import draw_cloud_prediction, draw_prediction


@dataclass(frozen=True)
class Inspection:
    """A model file and what is known about it.

    Attributes:
        file: the model file.
        contract: how to call it, with the source of each field.
        findings: findings of the lint.
        tried: whether the model ran on a random input of a usual size; None if it was not tried.
    """

    file: ModelFile
    contract: Contract
    findings: tuple[Finding, ...]
    tried: bool | None = None

    def __repr__(self) -> str:
        lines = [f"<model {self.file.path}>"]
        for field in fields(self.contract):
            value, source = getattr(self.contract, field.name), self.contract.sources
            if field.name in source and value not in ((), None):
                lines.append(f"  {field.name:16} {value} ({source[field.name]})")
        lines += [f"  {finding.severity}: {finding.message}" for finding in self.findings]
        return "\n".join(lines)


@check_keywords(ModelKeywords)
def inspect(
    model: Name | ModelFile,
    picture: Name | None = None,
    *,
    out: Name = "inspect.png",
    write: Name | None = None,
    sigma: float | None = None,
    class_names: Sequence[str] | Name | None = None,
    columns: str | None = None,
    category: str | None = None,
    on_contract: Callable[[Inspection], None] = lambda _: None,
    **keywords: Unpack[ModelKeywords],
) -> Inspection:
    """Detect the contract of a model, lint it and run it on a random input.

    Args:
        model: ONNX file, folder with one, or the name of a bundled model.
        picture: image or point cloud; the model's input and prediction are drawn to `out`.
        out: PNG for the drawing of `picture`.
        write: store the contract in a copy of the model at this path.
        sigma: standard deviation of the training noise, stored in the copy.
        class_names: class names, or a file of them.
        columns: columns of a point file.
        category: category of the shape.
        on_contract: called when the contract is known, before the model runs.
        keywords: see `onnxcert.api.keywords.ModelKeywords`.

    Raises:
        ContractError: a field of the contract is missing, ambiguous or contradictory.
        ModelError: the model must not be certified, or does not run.
    """
    file = model if isinstance(model, ModelFile) else read_model(find_model(fspath(model)))
    given = collect_contract(keywords)
    if sigma is not None:
        given["trained_sigma"] = sigma
    if class_names:
        is_file = isinstance(class_names, str | PathLike)
        given["class_names"] = (
            read_class_names(Path(class_names)) if is_file else tuple(class_names)  # type: ignore[arg-type]
        )
    contract = detect(file, given, thorough=True)
    _refuse_wrong_axes(file, given, contract)
    found = Inspection(file, contract, find_findings(file, contract))
    on_contract(found)
    refuse_errors(found.findings, file.path)
    bands = contract.bands if isinstance(contract, ImageContract) else None
    if bands is not None and (columns is not None or category is not None):
        raise ParameterError(
            "--columns and --category are for point clouds, but the model takes images; leave them "
            "out."
        )
    segmenter = _open(file, contract, keywords)
    tried = try_model(segmenter, keywords.get("tile"))
    if picture is not None:
        if bands is not None:
            draw_prediction(Path(out), segmenter, read_image(Path(picture), bands))
        else:
            cloud = read_cloud(Path(picture), columns=columns)
            cloud = replace(cloud, category=category) if category else cloud
            draw_cloud_prediction(Path(out), segmenter, segmenter.entry.preprocess(cloud))
        contract = segmenter.contract  # now includes the number of classes
    if write is not None:
        write_contract(file, contract, Path(write))
    return replace(found, contract=contract, tried=tried)


def find_findings(file: ModelFile, contract: Contract) -> tuple[Finding, ...]:
    """Return the findings of the lint about a model with this contract."""
    return (*lint(file.proto, dict(contract.feeds)), *image_findings(contract, file))


def _open(file: ModelFile, contract: Contract, keywords: Any) -> OnnxSegmenter:
    """Return the model; by default images are resized to a fixed input size."""
    fit = keywords.get("fit") or make_fit(contract, file, keywords)
    unchanged = fit.scale == 1.0 and fit.size is None and fit.tile is None and not fit.scales
    if isinstance(contract, ImageContract) and unchanged:
        fit = replace(fit, size=contract.size)
    runtime = {name: keywords[name] for name in ("device", "threads", "fill") if name in keywords}
    return OnnxSegmenter(file, contract, fit=fit, **runtime)


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
