"""Find the first factors and offsets that a network applies: they show the unit it expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from onnxcert.model.graph.tracing import producers

Numbers = npt.NDArray[np.float64]

# Operators that keep all or some of the values, at any position.
_THROUGH: Final = frozenset(
    {"Identity", "Cast", "Transpose", "Pad", "Resize", "Upsample", "Reshape", "Squeeze"}
    | {"Unsqueeze", "Flatten", "Dropout", "Clip"}
)
_SELECTS: Final = frozenset({"Gather", "Slice", "Split"})
_SHAPES: Final = frozenset({"Shape", "Size"})  # these do not read values
# Operators that change no value of a constant.
_KEEPS: Final = frozenset({"Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Transpose"})
_LARGEST: Final = 2**16  # of a constant: one number for each channel, not for each pixel
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
    constants = _Constants(graph)
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


def _apply(
    node: onnx.NodeProto, value: str, so_far: Affine, constants: _Constants
) -> Affine | None:
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
    constant = constants.get(node.input[1] if first else node.input[0])
    if constant is None or (node.op_type == "Div" and not (first and np.all(constant != 0))):
        return None
    try:
        factor, offset = step(so_far.factor, so_far.offset, constant, 1.0 if first else -1.0)
    except ValueError:  # constants along other axes than the channels
        return None
    return Affine(factor, offset) if np.all(factor != 0) else None


def _batch_norm(node: onnx.NodeProto, so_far: Affine, constants: _Constants) -> Affine | None:
    """Return the map of a BatchNormalization node.

    ``(x - mean) / sqrt(variance + epsilon) * scale + bias``, for each channel.
    """
    found = [constants.get(name) for name in node.input[1:5]]
    scale, bias, mean, variance = [*found, None, None, None, None][:4]
    if scale is None or bias is None or mean is None or variance is None:
        return None
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
    if not (variance + epsilon > 0).all() or not (scale != 0).all():
        return None
    try:
        factor = scale / np.sqrt(variance + epsilon)
        return Affine(so_far.factor * factor, (so_far.offset - mean) * factor + bias)
    except ValueError:
        return None


def _rounding_range(
    node: onnx.NodeProto, so_far: Affine, constants: _Constants
) -> tuple[float, float] | None:
    """Return the input values between which `node` rounds to 8 bits, or None."""
    single = so_far.factor.size == so_far.offset.size == 1
    if node.op_type != "QuantizeLinear" or not single:
        return None
    zero_name = node.input[2] if len(node.input) > 2 else ""
    step, zero = (
        constants.get(node.input[1]),
        constants.get(zero_name) if zero_name else np.zeros(1),
    )
    if step is None or zero is None or step.size != 1 or zero.size != 1:
        return None
    least, most = (-128, 127) if constants.signed(zero_name) else (0, 255)
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


class _Constants:
    """The small constants of a graph, flat, as float64."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._initializers = {i.name: i for i in graph.initializer}
        self._makers = producers(graph)

    def signed(self, name: str) -> bool:
        """Whether `name` is a constant of int8."""
        constant = self._initializers.get(name)
        return constant is not None and constant.data_type == onnx.TensorProto.INT8

    def get(self, name: str) -> Numbers | None:
        """Return the finite numbers of the constant `name`, or None if it is not one."""
        for _ in range(_MOST):
            if name in self._initializers:
                return _flat(self._initializers[name])
            node = self._makers.get(name)
            if node is None:
                return None
            if node.op_type == "Constant":
                return next(map(_flat, _values(node)), None)
            if node.op_type not in _KEEPS:
                return None
            name = node.input[0]
        return None


def _values(node: onnx.NodeProto) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.name == "value":
            yield attribute.t
        elif attribute.name in ("value_float", "value_int", "value_floats", "value_ints"):
            yield np.asarray(onnx.helper.get_attribute_value(attribute))


def _flat(value: Any) -> Numbers | None:
    if isinstance(value, onnx.TensorProto):
        if np.prod(value.dims, dtype=np.float64) > _LARGEST:
            return None
        try:
            value = numpy_helper.to_array(value)
        except Exception:  # damaged, or in a missing file: other checks report it
            return None
    if value.dtype.kind not in "biuf" or value.size == 0 or not np.isfinite(value).all():
        return None
    flat: Numbers = value.astype(np.float64).reshape(-1)
    return flat
