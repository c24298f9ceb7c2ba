"""Refuse outputs that look like class scores but are instances, boxes or images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import ASSUMED, Contract
from onnxcert.model.graph.file import ModelFile
from onnxcert.model.graph.lint import Finding
from onnxcert.model.graph.tracing import Axes, axes, describe, infer_axes, lengths, producers

# Tasks of Ultralytics' exports whose outputs contain boxes.
_BOX_TASKS: Final = frozenset({"detect", "segment", "pose", "obb"})
_PROTOTYPES: Final = 32  # number of mask prototypes, in networks that have them
_BOX: Final = 4  # coordinates of a box
_IMAGE_CHANNELS: Final = 3
_NAME_KEYS: Final = ("names", "class_names", "classes", "labels", "id2label")
# Operators after which an image is still an image: changes of axes, arithmetic with constants.
_AXES: Final = frozenset(
    {"Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Resize"}
)
_SCALING: Final = frozenset({"Mul", "Div", "Add", "Sub", "Round", "Floor", "Min", "Max"})


def refuse_boxes(proto: onnx.ModelProto) -> None:
    """Raise ContractError if the model detects objects instead of classifying pixels.

    Signs are the metadata (``task``), an axis called anchors, and mask prototypes together with
    boxes that hold their weights.
    """
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    shapes = {o.name: axes(o) for o in proto.graph.output}
    if None in shapes.values():
        inferred = infer_axes(proto)
        shapes = {name: shape or inferred.get(name) for name, shape in shapes.items()}
    why = ""
    if metadata.get("task") in _BOX_TASKS:
        why = f"its metadata say that its task is {metadata['task']!r}"
    for name, shape in shapes.items():
        if why:
            break
        if any("anchor" in str(axis).lower() for axis in shape or ()):
            why = f"its output {name!r} {describe(shape)} has an axis of anchors"
        elif _prototypes(name, shape, shapes.values()):
            why = f"its output {name!r} {describe(shape)} holds prototypes of masks"
    if why:
        raise ContractError(
            f"the model detects objects and does not label each pixel: {why}; if an output holds "
            "pixel classes nevertheless, pass --output-form and name it with --output."
        )


def _prototypes(name: str, shape: Axes | None, every: Iterable[Axes | None]) -> bool:
    if shape is None or len(shape) != 4:
        return False
    if "proto" in name.lower():
        return True
    boxes = [lengths(s)[1:] for s in every if s is not None and len(s) == 3]
    return _PROTOTYPES in (shape[1], shape[3]) and any(
        max((n or 0 for n in box), default=0) >= _PROTOTYPES + _BOX for box in boxes
    )


def refuse_image(contract: Contract, model: ModelFile, names: Sequence[str]) -> None:
    """Raise ContractError if the output may be an image.

    It may be if it has as many channels as the input, three or more, its values are clipped to an
    image's range at the end, and no source names the classes.

    Args:
        contract: A complete contract.
        model: The model.
        names: Class names from other sources.
    """
    if contract.sources.get("output_form") != ASSUMED or not _as_many(contract, contract.classes):
        return
    ending = _ending(model.proto.graph, contract.output)
    if not ending or ending == "Sigmoid" or _names_known(contract, model, names):
        return
    raise ContractError(
        f"the output {contract.output!r} may be an image: it has as many channels as the input "
        f"({contract.classes}), ends in {ending}, and nothing names the classes; pass "
        "--output-form logits if these are class scores."
    )


def image_findings(contract: Contract, model: ModelFile) -> tuple[Finding, ...]:
    """Return a warning if sigmoids with as many channels as the input may be an image."""
    if contract.output_form != "multilabel" or contract.classifies:
        return ()
    shape = infer_axes(model.proto).get(contract.output)
    at = -1 if contract.channels_last else 0 if contract.single else 1
    channels = lengths(shape)[at] if shape and len(shape) == contract.output_rank else None
    if not _as_many(contract, channels) or _names_known(contract, model, ()):
        return ()
    if _ending(model.proto.graph, contract.output) != "Sigmoid":
        return ()
    message = (
        f"has as many channels as the input ({channels}), between 0 and 1: it may be an image; if "
        "it is, its certificates mean nothing"
    )
    return (Finding("warning", f"{contract.output!r}", message),)


def _as_many(contract: Contract, channels: int | None) -> bool:
    as_many = channels is not None and channels == contract.network_channels
    return as_many and contract.network_channels >= _IMAGE_CHANNELS and not contract.classifies


def _ending(graph: onnx.GraphProto, name: str) -> str:
    """Return the operator that limits the output to a range as in an image, or ""."""
    produced_by = producers(graph)
    constants = {i.name for i in graph.initializer} | {
        output for output, node in produced_by.items() if node.op_type == "Constant"
    }
    bounds: set[str] = set()
    node = produced_by.get(name)
    while node is not None:
        if node.op_type in ("Tanh", "Sigmoid"):
            return str(node.op_type)
        if node.op_type == "Clip":
            return "Clip" if len(node.input) > 2 and node.input[2] else ""  # without maximum: Relu
        if node.op_type in ("Min", "Max"):
            bounds.add(node.op_type)
        if len(bounds) == 2:
            return "Clip"
        node = produced_by.get(_one_input(node, constants))
    return ""


def _one_input(node: onnx.NodeProto, constants: set[str]) -> str:
    """Return the input of a node that keeps an image an image, or ""."""
    if node.op_type in _AXES:
        return str(node.input[0])
    computed = [i for i in node.input if i and i not in constants]
    return str(computed[0]) if node.op_type in _SCALING and len(computed) == 1 else ""


def _names_known(contract: Contract, model: ModelFile, names: Sequence[str]) -> bool:
    """Return whether the contract, a file beside the model, the user or the metadata name classes.

    The number of classes from a file beside the model is enough.
    """
    counted = contract.sources.get("classes", "").endswith(".json")
    named = contract.class_names or names or any(model.metadata.get(key) for key in _NAME_KEYS)
    return counted or bool(named)
