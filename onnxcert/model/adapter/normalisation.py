"""Convert pixels in the declared unit to the network's input."""

from __future__ import annotations

import numpy as np

from onnxcert.model.contract.base import INTEGER_TYPES
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.graph.nodes import Nodes
from onnxcert.sampling.backend import NetworkInput
from onnxcert.sampling.kernels import Channels


def add_normalisation(nodes: Nodes, source: str, contract: ImageContract) -> None:
    """Apply channel order, value range, mean and std, element type and layout of the contract.

    The arithmetic is one multiplication and one addition per channel, in float32.
    """
    match contract.channel_order:
        case "BGR":
            source = nodes.add("Gather", source, nodes.constant([2, 1, 0]), axis=1)
        case "RGBA" | "BGRA":
            if contract.channel_order == "BGRA":
                source = nodes.add("Gather", source, nodes.constant([2, 1, 0]), axis=1)
            first = nodes.add("Slice", source, *(nodes.constant([v]) for v in (0, 1, 1)))
            opaque = nodes.add(
                "Add",
                nodes.add("Mul", first, nodes.constant(0.0, np.float32)),
                nodes.constant(1.0, np.float32),
            )
            source = nodes.add("Concat", source, opaque, axis=1)
    factor, offset = affine(contract)
    if np.any(factor != 1):
        source = nodes.add("Mul", source, nodes.constant(factor, np.float32))
    if np.any(offset != 0):
        source = nodes.add("Add", source, nodes.constant(offset, np.float32))
    if contract.dtype in INTEGER_TYPES:
        kind = np.dtype(contract.dtype)
        low, high = (
            nodes.constant(v, np.float32) for v in (np.iinfo(kind).min, np.iinfo(kind).max)
        )
        # Noise may leave the range of an integer: clip, as storing the image would do.
        source = nodes.add("Clip", nodes.add("Round", source), low, high)
    if contract.dtype != "float32":
        source = nodes.cast(source, contract.dtype)
    if contract.layout == "NHWC":
        source = nodes.add("Transpose", source, perm=[0, 2, 3, 1])
    nodes.add("Identity", source, output=contract.input)


def channelwise(contract: ImageContract) -> NetworkInput | None:
    """Return the steps of `add_normalisation` as one affine map per channel, if possible.

    None if the network needs a channel that the input does not have, rounding to integers, or a
    type that no kernel writes.
    """
    if contract.dtype not in ("float32", "float16") or contract.channel_order in ("RGBA", "BGRA"):
        return None
    turned = contract.channel_order == "BGR"
    factor, offset = affine(contract)
    plain = bool((factor == 1).all() and (offset == 0).all())
    channels = Channels(
        order=np.array([2, 1, 0], dtype=np.int32) if turned else None,
        affine=None if plain else np.stack([factor, offset]).reshape(2, -1),
    )
    return NetworkInput(channels, np.dtype(contract.dtype), last=contract.layout == "NHWC")


def affine(contract: ImageContract) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and offset per channel, float32 [1, c, 1, 1], in the network's channel order.

    With mean and std in the unit of the range: (low + x (high - low) - mean) / std. With
    `normalise` "before": low + (x - mean) / std (high - low).
    """
    assert contract.value_range is not None
    low, high = contract.value_range
    channels = contract.network_channels
    std = np.broadcast_to(np.asarray(contract.std or (1.0,), dtype=np.float64), channels)
    mean = np.broadcast_to(np.asarray(contract.mean or (0.0,), dtype=np.float64), channels)
    if contract.normalise == "before":
        factor, offset = (high - low) / std, low - mean / std * (high - low)
    else:
        factor, offset = (high - low) / std, (low - mean) / std
    shape = (1, channels, 1, 1)
    return factor.reshape(shape).astype(np.float32), offset.reshape(shape).astype(np.float32)
