"""What the graph itself says about its contract, and what nobody said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract import METADATA_KEY, Contract
from onnxcert.model.graph import ModelFile

METADATA = "the file's metadata"
GRAPH = "the graph"
FLAG = "given"
ASSUMED = "assumed"


def infer(
    model: ModelFile, given: Mapping[str, Any] | None = None, *, settle: bool = True
) -> Contract:
    """The contract of `model`: its metadata, completed by the graph, overridden by `given`.

    Args:
        model: the file.
        given: fields of `Contract` by name, as the user gave them; None values are ignored.
        settle: whether a value range that nobody said is refused, or left open.

    Raises:
        ContractError: a field is missing, ambiguous, contradictory or not supported.
    """
    text = model.metadata.get(METADATA_KEY)
    try:
        contract = Contract() if text is None else Contract.from_json(text, source=METADATA)
        contract = contract.override(
            FLAG, **{name: value for name, value in (given or {}).items() if value is not None}
        )
    except ContractError as error:
        raise ContractError(f"{model.path}: {error}") from None
    graph = model.proto.graph
    contract = _with_input(contract, graph, model)
    contract = _with_output(contract, graph, model)
    return settle_range(contract, model) if settle else contract


def _with_input(contract: Contract, graph: onnx.GraphProto, model: ModelFile) -> Contract:
    constants = {i.name for i in graph.initializer}
    inputs = [i for i in graph.input if i.name not in constants]
    value = _chosen("input", contract.input, inputs, model)
    shape = _shape(value)
    if shape is not None and len(shape) != 4:
        raise ContractError(
            f"{model.path}: a picture goes in as [batch, 3, height, width], but the input "
            f"{value.name!r} has {len(shape)} axes {_show(shape)}; choose another with --input."
        )
    kind = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    if kind != "FLOAT":
        raise ContractError(
            f"{model.path}: the input {value.name!r} must be float32, got {kind.lower()}; export "
            "the model with a float32 input."
        )
    batch, channels, height, width = shape or (None, None, None, None)
    if channels not in (3, None) and width == 3:
        raise ContractError(
            f"{model.path}: the input {value.name!r} {_show(shape)} has its channels last (NHWC), "
            "which this version does not take; export it as [batch, 3, height, width]."
        )
    if channels not in (3, None):
        raise ContractError(
            f"{model.path}: the input {value.name!r} {_show(shape)} must have 3 channels on its "
            f"second axis, got {channels}; export it as [batch, 3, height, width]."
        )
    if channels is None and "layout" not in contract.sources:
        raise ContractError(
            f"{model.path}: the graph does not say which axis of the input {value.name!r} "
            f"{_show(shape)} holds the 3 channels; export it as [batch, 3, height, width], or "
            "write a contract into the file."
        )
    found: dict[str, Any] = {"input": value.name, "dtype": "float32", "layout": "NCHW"}
    if isinstance(batch, int):
        found["batch"] = batch
    if isinstance(height, int) and isinstance(width, int):
        found["size"] = (height, width)
    elif isinstance(height, int) or isinstance(width, int):
        raise ContractError(
            f"{model.path}: height and width of the input {value.name!r} {_show(shape)} must be "
            "both fixed or both free; export it so."
        )
    for name in ("batch", "size"):
        said = getattr(contract, name)
        if name in found and said not in (None, found[name]):
            raise ContractError(
                f"{model.path}: the contract says {name} {said} but the graph takes only "
                f"{found[name]}; drop one of them."
            )
    contract = _fill(contract, found, GRAPH)
    return _fill(contract, {"channel_order": "RGB"}, ASSUMED)


def _with_output(contract: Contract, graph: onnx.GraphProto, model: ModelFile) -> Contract:
    value = _chosen("output", contract.output, list(graph.output), model)
    shape = _shape(value)
    if shape is not None and len(shape) != 4:
        raise ContractError(
            f"{model.path}: segmentation scores come out as [batch, classes, height, width], but "
            f"the output {value.name!r} has {len(shape)} axes {_show(shape)}; choose another with "
            "--output."
        )
    kind = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    if kind not in ("FLOAT", "UNDEFINED"):
        raise ContractError(
            f"{model.path}: the output {value.name!r} must hold float32 scores, got "
            f"{kind.lower()}; choose another with --output or export the scores themselves."
        )
    found: dict[str, Any] = {"output": value.name}
    if shape is not None and isinstance(shape[1], int):
        found["classes"] = shape[1]
        if contract.classes not in (None, shape[1]):
            raise ContractError(
                f"{model.path}: the contract says {contract.classes} classes but the output "
                f"{value.name!r} has {shape[1]}; correct the contract."
            )
        if shape[1] == 1:
            raise ContractError(
                f"{model.path}: the output {value.name!r} has one channel; this version takes "
                "the scores of 2 or more classes, one channel each."
            )
    producer = {name: node.op_type for node in graph.node for name in node.output}
    if "output_form" not in contract.sources:
        match producer.get(value.name):
            case "Sigmoid":
                raise ContractError(
                    f"{model.path}: the output {value.name!r} ends in a sigmoid for each class "
                    "(labels that do not exclude each other), where the largest score is not the "
                    "answer; export logits or softmax probabilities."
                )
            case "Softmax":
                found["output_form"] = "probabilities"
            case _:
                contract = _fill(contract, {"output_form": "logits"}, ASSUMED)
    return _fill(contract, found, GRAPH)


def settle_range(contract: Contract, model: ModelFile) -> Contract:
    """`contract` with its value range, taken from mean and std if need be.

    Raises:
        ContractError: nobody said it and mean and std do not tell.
    """
    if contract.value_range is not None:
        return contract
    if not contract.mean and not contract.std:
        raise ContractError(
            f"{model.path} does not say which pixel values it was trained on; pass --range 0,1 or "
            "--range 0,255 for plain pixels, or --mean and --std if they are normalised."
        )
    within_one = all(0 <= v <= 1 for v in contract.mean) and all(v <= 1 for v in contract.std)
    above_one = bool(contract.mean) and all(v > 1 for v in contract.mean)
    if within_one:
        return _fill(contract, {"value_range": (0.0, 1.0)}, "mean and std, none above 1")
    if above_one and all(v >= 1 for v in contract.std):
        return _fill(contract, {"value_range": (0.0, 255.0)}, "mean and std, all above 1")
    raise ContractError(
        f"{model.path}: mean {_numbers(contract.mean)} and std {_numbers(contract.std)} do not "
        "tell whether they apply to pixels in [0, 1] or in [0, 255]; pass --range 0,1 or "
        "--range 0,255 as well."
    )


def _chosen(
    role: str, name: str, values: Sequence[onnx.ValueInfoProto], model: ModelFile
) -> onnx.ValueInfoProto:
    names = [v.name for v in values]
    if name:
        for value in values:
            if value.name == name:
                return value
        raise ContractError(
            f"{model.path} has no {role} called {name!r}; it has {', '.join(names) or 'none'}."
        )
    if len(values) == 1:
        return values[0]
    if not values:
        raise ContractError(f"{model.path} has no {role}; export it again.")
    raise ContractError(
        f"{model.path} has {len(names)} {role}s ({', '.join(names)}); choose one with --{role}."
    )


def _fill(contract: Contract, values: Mapping[str, Any], source: str) -> Contract:
    """`contract` with those of `values` that nobody has said yet."""
    new = {name: v for name, v in values.items() if name not in contract.sources}
    return contract.override(source, **new)


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...] | None:
    """Axis lengths, None where free; None altogether where the graph does not say."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim
    )


def _show(shape: Sequence[int | None] | None) -> str:
    return (
        "" if shape is None else "[" + ", ".join("?" if d is None else str(d) for d in shape) + "]"
    )


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{v:g}" for v in values) or "(none)"
