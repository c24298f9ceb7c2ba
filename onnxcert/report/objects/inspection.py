"""An inspected model as one object: how it is called, and what the lint found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from typing import Any

from onnxcert.model.contract.base import ASSUMED, Contract
from onnxcert.model.graph.file import ModelFile
from onnxcert.model.graph.lint import Finding
from onnxcert.model.graph.tracing import axes


def inspection_object(
    file: ModelFile,
    contract: Contract,
    findings: Sequence[Finding],
    *,
    missing: Collection[str] = (),
    tried: bool | None = None,
    refused: str | None = None,
) -> dict[str, Any]:
    """Return what is known about a model as JSON values.

    Args:
        file: the model.
        contract: how to call it; the values of `missing` fields are provisional and left out.
        findings: findings of the lint.
        missing: names of the fields that the user must give.
        tried: whether the model ran on a random input; None if that is not known.
        refused: why the model is refused; None if it is not.
    """
    names = [field.name for field in fields(contract) if field.name != "sources"]
    sources = {name: source for name, source in contract.sources.items() if name not in missing}
    graph = file.proto.graph
    shapes = {value.name: axes(value) for value in (*graph.input, *graph.output)}
    return {
        "model": {"file": str(file.path), "sha256": file.sha256, "opset": file.opset},
        "modality": contract.modality.name.lower(),
        "input_shape": shapes.get(contract.input),
        "output_shape": shapes.get(contract.output),
        "contract": {
            name: {
                "value": None if name in missing else getattr(contract, name),
                "source": sources.get(name),
            }
            for name in names
        },
        "assumed": [name for name in names if sources.get(name) == ASSUMED],
        "missing": [name for name in names if name in missing],
        "findings": [asdict(finding) for finding in findings],
        "not_used": list(file.list_unused(contract)),
        "tried": tried,
        "refused": refused,
    }
