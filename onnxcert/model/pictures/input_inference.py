"""What the graph says about the input that takes the picture."""

from __future__ import annotations

from typing import Any

import onnx

from onnxcert.errors import ContractError
from onnxcert.model.contract import ASSUMED, LARGEST
from onnxcert.model.input_inference import graph_inputs, typed
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.proposal import GRAPH, agreed, filled, named, only
from onnxcert.model.tracing import (
    Axes,
    attribute,
    axes,
    constant_shape,
    first_reader,
    lengths,
    rank,
    shown,
)

_CHANNEL_NAMES = frozenset({"c", "ch", "channel", "channels", "num_channels", "in_channels"})
_ORDERS = {1: ("GRAY",), 3: ("RGB", "BGR"), 4: ("RGBA", "BGRA")}


def with_input(contract: PictureContract, graph: onnx.GraphProto) -> PictureContract:
    """`contract` with everything the graph says about the picture's input."""
    inputs = graph_inputs(graph)
    if contract.input:
        value = named("input", contract.input, inputs)
    else:
        fed = {name for name, _ in contract.feeds}
        fitting = [i for i in inputs if i.name not in fed and rank(i) in (None, 4)]
        value = only("input", fitting, inputs, "a picture goes in as [batch, 3, height, width]")
    shape = axes(value)
    if shape is not None and len(shape) != 4:
        raise ContractError(
            f"a picture goes in as [batch, 3, height, width], but the input {value.name!r} has "
            f"{len(shape)} axes {shown(shape)}; choose another with --input."
        )
    contract = typed(filled(contract, {"input": value.name}, GRAPH), value)
    layout, channels, why = _layout(contract, graph, value.name, shape)
    contract = filled(contract, {"layout": layout}, why)
    contract = _with_channels(contract, value.name, channels)
    return _with_sizes(contract, value.name, shape)


def _layout(
    contract: PictureContract, graph: onnx.GraphProto, name: str, shape: Axes | None
) -> tuple[str, int | None, str]:
    """(layout, number of channels if known, who said so)."""
    known = lengths(shape) if shape else (None,) * 4
    at = {"NCHW": 1, "NHWC": 3}
    if "layout" in contract.sources:
        return contract.layout, known[at[contract.layout]], ""
    possible = {layout: known[axis] for layout, axis in at.items() if known[axis] in _ORDERS}
    if len(possible) == 1:
        layout, channels = possible.popitem()
        return layout, channels, f"{GRAPH}: axis {at[layout]} of {shown(shape)}"
    if not possible and None not in (known[1], known[3]):
        raise ContractError(
            f"the input {name!r} {shown(shape)} must have 1, 3 or 4 channels on its second or last "
            "axis; choose another with --input."
        )
    for layout, axis in at.items():
        if shape and str(shape[axis]).lower() in _CHANNEL_NAMES:
            return layout, None, f"{GRAPH}: axis {axis} is called {shape[axis]}"
    reader = first_reader(graph, name)
    if reader is not None and reader.op_type == "Transpose":
        if attribute(reader, "perm") == [0, 3, 1, 2]:
            return "NHWC", known[3], f"{GRAPH}: it is transposed to channels first"
    elif reader is not None:
        at_weight = 3 if reader.op_type == "QLinearConv" else 1
        weight = constant_shape(graph, reader.input[at_weight])
        groups = next((a.i for a in reader.attribute if a.name == "group"), 1)
        channels = weight[1] * groups if weight and len(weight) == 4 else None
        return "NCHW", channels, f"{GRAPH}: a convolution reads it"
    raise ContractError(
        f"the input {name!r} {shown(shape)} may have its channels second or last; pass --layout "
        "NCHW or --layout NHWC."
    )


def _with_channels(contract: PictureContract, name: str, channels: int | None) -> PictureContract:
    if "channel_order" in contract.sources:
        if channels is not None and channels != contract.network_channels:
            orders = " or ".join(f"--channel-order {o}" for o in _ORDERS.get(channels, ()))
            raise ContractError(
                f"the input {name!r} has {channels} channels but the channel order "
                f"{contract.channel_order} has {contract.network_channels}; "
                f"pass {orders or 'another --input'}."
            )
        return contract
    if channels not in (None, *_ORDERS):
        raise ContractError(
            f"the input {name!r} must have 1, 3 or 4 channels, got {channels}; choose another with "
            "--input, or --layout."
        )
    order = _ORDERS[channels or 3][0]
    return filled(contract, {"channel_order": order}, GRAPH if channels == 1 else ASSUMED)


def _with_sizes(contract: PictureContract, name: str, shape: Axes | None) -> PictureContract:
    known = lengths(shape) if shape else (None,) * 4
    height, width = known[2:] if contract.layout == "NCHW" else known[1:3]
    found: dict[str, Any] = {}
    if known[0] is not None:
        found["batch"] = known[0]
    if height is not None and width is not None:
        found["size"] = (height, width)
    elif height is not None or width is not None:
        raise ContractError(
            f"height and width of the input {name!r} {shown(shape)} must be both fixed or both "
            "free; export the model so, or name the other --layout."
        )
    if max(known[0] or 1, height or 1, width or 1) > LARGEST:
        raise ContractError(
            f"the input {name!r} {shown(shape)} is larger than {LARGEST} along an axis; export the "
            "model with free axes."
        )
    return agreed(contract, found)
