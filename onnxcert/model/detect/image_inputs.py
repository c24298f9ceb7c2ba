"""Detect the input that takes the image: layout, channels and size."""

from __future__ import annotations

from typing import Any, Final

import onnx

from onnxcert.data.images.bands import number_bands
from onnxcert.errors import ContractError
from onnxcert.model.contract.base import ASSUMED, LARGEST
from onnxcert.model.contract.image import BANDS, ImageContract
from onnxcert.model.contract.question import MissingSetting
from onnxcert.model.detect.values import (
    GRAPH,
    fill_missing,
    graph_inputs,
    select_value,
    with_dtype,
    with_fixed,
)
from onnxcert.model.graph.tracing import (
    Axes,
    Constants,
    attribute,
    axes,
    describe,
    first_reader,
    lengths,
    rank,
)

_CHANNEL_NAMES = frozenset({"c", "ch", "channel", "channels", "num_channels", "in_channels"})
_ORDERS: Final = {1: ("GRAY",), 3: ("RGB", "BGR"), 4: ("RGBA", "BGRA")}
_AT: Final = {"NCHW": 1, "NHWC": 3}  # axis of the channels
_EXAMPLE: Final = ("blue", "green", "red", "nir", "swir1", "swir2")


def with_input(contract: ImageContract, graph: onnx.GraphProto) -> ImageContract:
    """Return `contract` with the fields of the input that the graph gives."""
    inputs = graph_inputs(graph)
    fed = {name for name, _ in contract.feeds}
    fitting = [i for i in inputs if i.name not in fed and rank(i) in (None, 4)]
    value = select_value("input", contract.input, inputs, fitting, contract)
    shape = axes(value)
    contract = with_dtype(fill_missing(contract, {"input": value.name}, GRAPH), value)
    layout, channels, why = _layout(contract, graph, value.name, shape)
    contract = fill_missing(contract, {"layout": layout}, why)
    contract = _with_channels(contract, value.name, channels)
    return _with_sizes(contract, value.name, shape)


def _layout(
    contract: ImageContract, graph: onnx.GraphProto, name: str, shape: Axes | None
) -> tuple[str, int | None, str]:
    """Return (layout, number of channels if known, source).

    An axis of length 1 or 3, or of the number of bands, is the channel axis. For other lengths,
    the node that reads the input or the free axes must show it.
    """
    known = lengths(shape) if shape else (None,) * 4
    read = _as_read(graph, name)
    if "layout" in contract.sources:
        channels = known[_AT[contract.layout]]
        if channels is None and read is not None and read[0] == contract.layout:
            channels = read[1]
        return contract.layout, channels, ""
    usual = (contract.network_channels or None,) if contract.channel_order == BANDS else (1, 3)
    possible = {layout: known[axis] for layout, axis in _AT.items() if known[axis] in _ORDERS}
    fitting = [
        layout for layout, axis in _AT.items() if known[axis] is not None and known[axis] in usual
    ]
    if read is not None and read[1] is not None and read[1] == known[_AT[read[0]]]:
        fitting = [layout for layout in fitting if layout == read[0]]
    if len(fitting) == 1 and (contract.bands or len(possible) == 1):
        return fitting[0], known[_AT[fitting[0]]], _axis_of(fitting[0], shape)
    for layout, axis in _AT.items():
        if shape and str(shape[axis]).lower() in _CHANNEL_NAMES:
            channels = read[1] if read is not None and read[0] == layout else None
            return layout, channels, f"{GRAPH}: axis {axis} is called {shape[axis]}"
    if read is not None:
        layout, channels, why = read
        return layout, known[_AT[layout]] or channels, why
    if len(possible) == 1 and contract.channel_order != BANDS:
        layout, channels = possible.popitem()
        return layout, channels, _axis_of(layout, shape)
    if known[1] is not None and known[2] is known[3] is None:
        return "NCHW", known[1], _axis_of("NCHW", shape)
    if known[3] is not None and known[1] is known[2] is None:
        return "NHWC", known[3], _axis_of("NHWC", shape)
    raise MissingSetting(
        f"the input {name!r} {describe(shape)} may have its channels second or last; pass --layout "
        "NCHW or --layout NHWC.",
        flag="--layout",
        values=("NCHW", "NHWC"),
        meaning=f"order of the axes of {name!r} {describe(shape)}: channels second or last",
        answer={"layout": "NCHW"},
    )


def _axis_of(layout: str, shape: Axes | None) -> str:
    return f"{GRAPH}: axis {_AT[layout]} of {describe(shape)}"


def _as_read(graph: onnx.GraphProto, name: str) -> tuple[str, int | None, str] | None:
    """Return (layout, number of channels if known, source) by the first node that shows it."""
    reader = first_reader(graph, name)
    if reader is None:
        return None
    if reader.op_type == "Transpose":
        if attribute(reader, "perm") == [0, 3, 1, 2]:
            return "NHWC", None, f"{GRAPH}: it is transposed to channels first"
        return None
    place = 3 if reader.op_type == "QLinearConv" else 1
    weight = Constants(graph).shape(reader.input[place]) if len(reader.input) > place else []
    groups = next((a.i for a in reader.attribute if a.name == "group"), 1)
    channels = weight[1] * groups if len(weight) == 4 else None
    return "NCHW", channels, f"{GRAPH}: a convolution reads it"


def _with_channels(contract: ImageContract, name: str, channels: int | None) -> ImageContract:
    if "channel_order" not in contract.sources:
        if channels not in (None, 1, 3):
            raise _question(name, channels)
        order = _ORDERS[channels or 3][0]
        return fill_missing(contract, {"channel_order": order}, GRAPH if channels == 1 else ASSUMED)
    if contract.channel_order == BANDS and not contract.bands:
        if channels is None:
            raise ContractError(
                f"the graph does not give the number of channels of the input {name!r}; name all "
                "of them with --channels-are, such as --channels-are blue,green,red,nir."
            )
        if channels > LARGEST:  # before a name is created for each channel
            raise ContractError(
                f"the input {name!r} has {channels} channels, more than {LARGEST}; export the "
                "model with fewer."
            )
        return fill_missing(contract, {"bands": number_bands(channels)}, GRAPH)
    if channels not in (None, contract.network_channels):
        options = [("--channel-order", order) for order in _ORDERS.get(channels, ())]
        options.append(("--channels-are", "bands"))
        who = contract.sources["channel_order"]
        has = f"the channel order {contract.channel_order} ({who}) has {contract.network_channels}"
        if contract.bands:
            has = f"{len(contract.bands)} bands are named ({contract.channels_are})"
        raise ContractError(
            f"the input {name!r} has {channels} channels but {has}; pass "
            f"{' or '.join(map(' '.join, options))}.",
            alternatives=options,
        )
    return contract


def _question(name: str, channels: int) -> MissingSetting:
    """Return the question about channels whose number does not show what they are."""
    example = ",".join(_EXAMPLE[:channels] if channels <= len(_EXAMPLE) else [*_EXAMPLE, "..."])
    alpha = "--channels-are rgba or " if channels == 4 else ""
    meaning = " (rgba adds an alpha channel of 1 to photographs)" if channels == 4 else ""
    return MissingSetting(
        f"the input {name!r} has {channels} channels but nothing tells what they are; pass {alpha}"
        f"--channels-are bands or the names of all {channels} such as --channels-are {example} for "
        f"files of so many bands{meaning}.",
        flag="--channels-are",
        values=("rgba", "bands") if channels == 4 else ("bands",),
        meaning=f"what the {channels} channels are: bands of a file{meaning}",
        answer={"channel_order": BANDS},
        example=example,
    )


def _with_sizes(contract: ImageContract, name: str, shape: Axes | None) -> ImageContract:
    known = lengths(shape) if shape else (None,) * 4
    height, width = known[2:] if contract.layout == "NCHW" else known[1:3]
    found: dict[str, Any] = {}
    if known[0] is not None:
        found["batch"] = known[0]
    if height is not None and width is not None:
        found["size"] = (height, width)
    elif height is not None or width is not None:
        raise ContractError(
            f"height and width of the input {name!r} {describe(shape)} must be both fixed or both "
            "free; export the model again, or pass the other --layout."
        )
    if max(known[0] or 1, height or 1, width or 1) > LARGEST:
        raise ContractError(
            f"the input {name!r} {describe(shape)} is larger than {LARGEST} along an axis; export "
            "the model with free axes."
        )
    return with_fixed(contract, found)
