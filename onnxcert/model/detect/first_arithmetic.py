"""Find the first factors and offsets that a network applies: they show the unit it expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import onnx

from onnxcert.model.graph.tracing import Constants, Numbers

# Operators that keep all or some of the values, at any position.
_THROUGH: Final = frozenset(
    {"Identity", "Cast", "Transpose", "Pad", "Resize", "Upsample", "Reshape", "Squeeze"}
    | {"Unsqueeze", "Flatten", "Dropout", "Clip"}
)
_SELECTS: Final = frozenset({"Gather", "Slice", "Split"})
_SHAPES: Final = frozenset({"Shape", "Size"})  # these do not read values
# Operators that change no value of a constant.
_KEEPS: Final = frozenset({"Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Transpose"})
_MOST: Final = 64  # paths that are followed


@dataclass(frozen=True)
class Affine:
    """The map ``factor * x + offset``, one number for all channels or one for each.

    Attributes:
        factor: Factor of the map.
        offset: Offset of the map.
        held: The x between which the next step rounds to 8 bits (values outside are clipped); None
            if there is no such step, or it differs between channels.
    """

    factor: Numbers
    offset: Numbers
    rounding: tuple[float, float] | None = None

    @property
    def centre(self) -> Numbers:
        """The input that becomes 0."""
        return -self.offset / self.factor


def first_arithmetic(graph: onnx.GraphProto, name: str) -> list[Affine]:
    """Return the additions and multiplications by constants that come first after input `name`.

    One map for each path of the input into the network; empty if there are too many.
    """
    constants = Constants(graph, _KEEPS)
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for source in dict.fromkeys(node.input):
            if node.op_type not in _SHAPES:
                readers.setdefault(source, []).append(node)
    start = Affine(np.ones(1), np.zeros(1))
    found: list[Affine] = []
    waiting = [(name, start)]
    for _ in range(_MOST):
        if not waiting:
            return found
        value, so_far = waiting.pop()
        nodes = readers.get(value, [])
        for node in nodes:
            after = _apply(node, value, so_far, constants)
            if after is None:
                found.append(replace(so_far, rounding=_rounding_range(node, so_far, constants)))
            else:
                waiting += [(output, after) for output in node.output if output in readers]
    return []


def _apply(node: onnx.NodeProto, value: str, so_far: Affine, constants: Constants) -> Affine | None:
    """Return the map after `node`; None if the node is no affine step."""
    first = node.input[0] == value
    if node.op_type in _THROUGH and first:
        return so_far
    if node.op_type in _SELECTS and first:
        # The selected channels are not followed, so there must be one number for all.
        return so_far if so_far.factor.size == so_far.offset.size == 1 else None
    if node.op_type == "BatchNormalization" and first:
        return _batch_norm(node, so_far, constants)
    step = _STEPS.get(node.op_type)
    if step is None or len(node.input) != 2 or node.input[0] == node.input[1]:
        return None
    constant = constants.numbers(node.input[1] if first else node.input[0])
    if not constant.size or (node.op_type == "Div" and not (first and np.all(constant != 0))):
        return None
    try:
        factor, offset = step(so_far.factor, so_far.offset, constant, 1.0 if first else -1.0)
    except ValueError:  # constants along other axes than the channels
        return None
    return Affine(factor, offset) if np.all(factor != 0) else None


def _batch_norm(node: onnx.NodeProto, so_far: Affine, constants: Constants) -> Affine | None:
    """Return the map of a BatchNormalization node.

    ``(x - mean) / sqrt(variance + epsilon) * scale + bias``, for each channel.
    """
    found = [constants.numbers(name) for name in node.input[1:5]]
    if len(found) < 4 or not all(values.size for values in found):
        return None
    scale, bias, mean, variance = found
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
    if not (variance + epsilon > 0).all() or not (scale != 0).all():
        return None
    try:
        factor = scale / np.sqrt(variance + epsilon)
        return Affine(so_far.factor * factor, (so_far.offset - mean) * factor + bias)
    except ValueError:
        return None


def _rounding_range(
    node: onnx.NodeProto, so_far: Affine, constants: Constants
) -> tuple[float, float] | None:
    """Return the input values between which `node` rounds to 8 bits, or None."""
    single = so_far.factor.size == so_far.offset.size == 1
    if node.op_type != "QuantizeLinear" or not single:
        return None
    zero_name = node.input[2] if len(node.input) > 2 else ""
    step = constants.numbers(node.input[1])
    zero = constants.numbers(zero_name) if zero_name else np.zeros(1)
    if step.size != 1 or zero.size != 1:
        return None
    kind = constants.tensor(zero_name)
    signed = kind is not None and kind.data_type == onnx.TensorProto.INT8
    least, most = (-128, 127) if signed else (0, 255)
    ends = (np.array([least, most]) - zero) * step
    low, high = sorted(((ends - so_far.offset) / so_far.factor).tolist())
    return low, high


_Step = Callable[[Numbers, Numbers, Numbers, float], tuple[Numbers, Numbers]]
_STEPS: Final[Mapping[str, _Step]] = {
    "Mul": lambda a, b, k, _: (a * k, b * k),
    "Div": lambda a, b, k, _: (a / k, b / k),
    "Add": lambda a, b, k, _: (a, b + k),
    "Sub": lambda a, b, k, sign: (a * sign, (b - k) * sign),
}
