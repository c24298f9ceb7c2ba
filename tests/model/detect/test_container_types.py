"""Outputs and inputs of types that are no tensors: sequences, maps and optional values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import onnx
import pytest

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import Contract
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model


def inferred(path: Path, **given: Any) -> Contract:
    return detect(read_model(path), given)


CONTAINERS = {
    "sequence": ("seq(float[])", "odd = SequenceConstruct(scores)"),
    "map": (
        "seq(map(int64, float[]))",
        "f = Flatten(scores) odd = ai.onnx.ml.ZipMap<classlabels_int64s = [0, 1, 2]>(f)",
    ),
    "optional": ("optional(float[])", "odd = Optional(scores)"),
}


def with_container(kind: str, *, beside: bool, output: bool = True) -> onnx.ModelProto:
    """A model with an output, or an input, that is no tensor, alone or beside its scores."""
    odd, maker = CONTAINERS[kind]
    values = [f"{graphs.IMAGES} image", f"{graphs.IMAGES} scores"]
    values[output] = f"{values[output]}, {odd} odd" if beside else f"{odd} odd"
    proto = graphs.model(
        f"({values[0]}) => ({values[1]}) {{ scores = Neg(image) {maker if output else ''} }}",
        graphs.UNIT_RANGE,
    )
    proto.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 3))
    return proto


@pytest.mark.parametrize("kind", ["sequence", "map", "optional"])
def test_an_output_that_is_no_tensor_is_passed_over_or_refused_by_its_type(
    kind: str, tmp_path: Path
) -> None:
    path = graphs.save(with_container(kind, beside=True), tmp_path / "beside.onnx")
    assert inferred(path).output == "scores"
    alone = graphs.save(with_container(kind, beside=False), tmp_path / "alone.onnx")
    word = "optional" if kind == "optional" else "sequence"
    said: dict[Path, dict[str, Any]] = {path: {"output": "odd"}, alone: {}}
    for model, given in said.items():
        with pytest.raises(ContractError, match=f"'odd' is of the type {word} but a tensor"):
            inferred(model, **given)


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("kind", ["sequence", "optional"])
def test_an_input_that_is_no_tensor_is_refused_by_its_type(
    kind: str, beside: bool, tmp_path: Path
) -> None:
    path = graphs.save(with_container(kind, beside=beside, output=False), tmp_path / "model.onnx")
    with pytest.raises(ContractError, match=f"'odd' is of the type {kind} but a tensor"):
        inferred(path)
