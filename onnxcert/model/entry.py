"""From pixels in the declared unit to what the network's input wants."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from onnxcert.errors import ModelError
from onnxcert.model.contract import INTEGER_TYPES, Contract
from onnxcert.model.fit import Fit
from onnxcert.model.nodes import Nodes

LARGEST_PICTURE: Final = 2**27


def check_size(contract: Contract, fit: Fit, path: Path, height: int, width: int) -> None:
    """Raise ModelError unless a picture of height x width reaches the network as it wants it."""
    wanted, seen = contract.size, fit.padded(height, width)
    if seen[0] * seen[1] > LARGEST_PICTURE:
        raise ModelError(
            f"a picture of {height}x{width} pixels would reach the model as {seen[0]}x{seen[1]}, "
            f"more than {LARGEST_PICTURE} pixels; pass a smaller --size, --scale or --pad-to."
        )
    if wanted is not None and seen != wanted:
        raise ModelError(
            f"{path} takes pictures of {wanted[0]}x{wanted[1]} pixels only, got "
            f"{seen[0]}x{seen[1]}; pass --resize to resize pictures to that size."
        )


def fitted(nodes: Nodes, pixels: str, fit: Fit, *, resized: str, pads: str) -> str:
    """Pixels at the size the network sees; [B, c, h, w]."""
    if fit.resizes:
        pixels = nodes.resized(pixels, resized)
    if fit.pad_to > 1:
        pixels = nodes.add("Pad", pixels, pads, mode="edge")
    return pixels


def normalised(nodes: Nodes, source: str, contract: Contract) -> None:
    """Channel order, value range, mean and std, element type and layout, as the contract says.

    All arithmetic is one multiplication and one addition per channel, in float32.
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
        # Noise leaves the range of an integer: it is cut off, as storing the picture would do.
        source = nodes.add("Clip", nodes.add("Round", source), low, high)
    if contract.dtype != "float32":
        source = nodes.cast(source, contract.dtype)
    if contract.layout == "NHWC":
        source = nodes.add("Transpose", source, perm=[0, 2, 3, 1])
    nodes.add("Identity", source, output=contract.input)


def affine(contract: Contract) -> tuple[np.ndarray, np.ndarray]:
    """Factor and offset per channel, float32 [1, c, 1, 1], in the network's channel order.

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
