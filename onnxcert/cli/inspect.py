"""`onnxcert inspect`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import typer

from onnxcert.cli.parsing import INPUT, MEAN, OUTPUT, RANGE, STD, contract_fields
from onnxcert.errors import ContractError
from onnxcert.model.bundled import find_model
from onnxcert.model.graph import read_model
from onnxcert.model.inference import infer, settle_range
from onnxcert.model.lint import lint


def command(
    model: str = typer.Argument(..., help="ONNX file, or the name of a bundled model: street."),
    value_range: Any | None = RANGE,
    mean: Any | None = MEAN,
    std: Any | None = STD,
    input_name: str | None = INPUT,
    output_name: str | None = OUTPUT,
) -> int:
    """Print how onnxcert would talk to a model, who said so, and what the lint finds."""
    file = read_model(find_model(model))
    given = contract_fields(value_range, mean, std, input_name, output_name)
    contract = infer(file, given, settle=False)
    question = ""
    try:
        contract = settle_range(contract, file)
    except ContractError as error:
        question = str(error)
    print(f"{file.path}\nsha256 {file.sha256}\nopset {file.opset}\n")
    for field in fields(contract):
        if field.name != "sources":
            value = getattr(contract, field.name)
            source = contract.sources.get(field.name)
            shown = _show(value) if source else _OPEN.get(field.name, "not said")
            print(f"{field.name:14} {shown:32} {f'({source})' if source else ''}".rstrip())
    findings = lint(file.proto)
    print(f"\nlint: {'nothing found' if not findings else ''}".rstrip())
    for finding in findings:
        print(f"  {finding.severity}: node {finding.node} {finding.message}")
    if question:
        print(f"\nopen: {question}")
    return 0


_OPEN = {
    "batch": "free",
    "size": "free",
    "mean": "none",
    "std": "none",
    "classes": "known after the first run",
}


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
