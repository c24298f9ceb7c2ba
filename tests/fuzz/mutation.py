"""How valid things are damaged: bytes, protobuf fields, JSON, HDF5 attributes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import onnx
from google.protobuf.message import Message

Rng = np.random.Generator

INTEGERS: Final = (0, 1, -1, 2, 7, 255, 2**31 - 1, -(2**31), 2**31, 2**62, 2**63 - 1, -(2**63))
FLOATS: Final = (0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), float("-inf"))
TEXTS: Final = ("", "image", "answer", "a/b:0", "..", "é\u202e", "\n", "x" * 3000, "Conv", "None")
OPERATORS: Final = (
    *("Conv", "Relu", "Reshape", "Resize", "Softmax", "Sigmoid", "ArgMax", "Transpose", "Identity"),
    *("Cast", "Shape", "Loop", "If", "Scan", "Where", "Expand", "Tile", "Pad", "Einsum", "Squeeze"),
    *("Constant", "ConstantOfShape", "Range", "QLinearConv", "DynamicQuantizeLinear", "Dropout"),
    *("BatchNormalization", "Upsample", "Slice", "Split", "Gather", "TopK", "MatMul", "Bernoulli"),
)


def pick(rng: Rng, values: Any) -> Any:
    """One of `values`."""
    return values[int(rng.integers(len(values)))]


# -- bytes -----------------------------------------------------------------------------------------


def damaged_bytes(rng: Rng, data: bytes, other: bytes = b"") -> bytes:
    """`data` with flipped bits, a piece missing, repeated, replaced, or cut short."""
    values = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if not values:
            break
        at = int(rng.integers(len(values)))
        length = int(rng.integers(1, 1 + min(64, len(values))))
        match int(rng.integers(7)):
            case 0 | 1:
                values[at] ^= 1 << int(rng.integers(8))
            case 2:
                del values[at:]
            case 3:
                del values[at : at + length]
            case 4:
                values[at:at] = values[at : at + length]
            case 5:
                values[at : at + length] = rng.bytes(length)
            case 6:
                source = other or data
                start = int(rng.integers(len(source)))
                values[at : at + length] = source[start : start + length]
    return bytes(values)


# -- protobuf --------------------------------------------------------------------------------------


def messages(message: Message) -> Iterator[Message]:
    """`message` and every message inside it."""
    yield message
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for inner in [value] if isinstance(value, Message) else value:
            yield from messages(inner)


def damaged_fields(rng: Rng, data: bytes) -> bytes:
    """A model that protobuf reads, one to three of whose fields say something else."""
    proto = onnx.load_model_from_string(data)
    for _ in range(int(rng.integers(1, 4))):
        message = pick(rng, list(messages(proto)))
        fields = message.ListFields()
        with contextlib.suppress(ValueError, TypeError):  # protobuf itself will not have it
            if fields and rng.random() < 0.85:
                _damage(rng, message, *pick(rng, fields))
            else:  # a field that was not there before
                _add(rng, message, pick(rng, message.DESCRIPTOR.fields))
    return proto.SerializeToString()


def _damage(rng: Rng, message: Message, descriptor: Any, value: Any) -> None:
    name = descriptor.name
    if not isinstance(value, int | float | str | bytes | Message):  # a repeated field
        action, at = int(rng.integers(4)), int(rng.integers(len(value)))
        if action == 0:
            del value[at]
        elif action == 1:
            value.extend([value[at]])
        elif action == 2:
            first = list(value)
            rng.shuffle(first)  # type: ignore[arg-type]
            copies = [_copy(item) for item in first]
            del value[:]
            value.extend(copies)
        elif not isinstance(value[at], Message):
            value[at] = _other(rng, name, value[at])
    elif isinstance(value, Message) or rng.random() < 0.2:
        message.ClearField(name)
    else:
        setattr(message, name, _other(rng, name, value))


def _copy(item: Any) -> Any:
    if not isinstance(item, Message):
        return item
    copy = type(item)()
    copy.CopyFrom(item)
    return copy


def _other(rng: Rng, name: str, value: Any) -> Any:
    if name == "op_type":
        return pick(rng, OPERATORS)
    if isinstance(value, str):
        return pick(rng, TEXTS)
    if isinstance(value, bytes):
        return damaged_bytes(rng, value) if value else b"\xff"
    if isinstance(value, float):
        return pick(rng, FLOATS)
    changed = pick(rng, INTEGERS)
    if name in ("data_type", "elem_type", "type", "to", "data_location"):
        return int(rng.integers(0, 24)) if name != "data_location" else int(rng.integers(2))
    narrow = -(2**31) <= value < 2**31 and name in ("float_data", "int32_data")
    return max(min(changed, 2**31 - 1), -(2**31)) if narrow else changed


def _add(rng: Rng, message: Message, descriptor: Any) -> None:
    value = getattr(message, descriptor.name)
    if isinstance(value, Message):
        value.SetInParent()
    elif hasattr(value, "add"):
        value.add()
    elif hasattr(value, "append"):
        sample: Any = {str: "", bytes: b""}
        for kind in (pick(rng, TEXTS), pick(rng, (0, 1, 7)), 0.5, b"\0", sample):
            try:
                value.append(kind)
            except TypeError:
                continue
            return
    else:
        _damage(rng, message, descriptor, value)


# -- JSON ------------------------------------------------------------------------------------------

VALUES: Final = (
    *(None, True, False, "", "x", [], {}, [[]], 0, -1, 0.5, 1e308, 10**30, 2**63, "NCHW", "labels"),
    *(
        [0, 1],
        [1, 0],
        [0, 255],
        ["a", "b"],
        [1, 2, 3],
        [None],
        [float("nan"), 1],
        {"a": 1},
        10**400,
    ),
    *(float("nan"), float("inf"), [["bias", 1]], [["bias", {}]], [[1, 2]], "é" * 200),
)
# Values of the right type are looked at more closely than others.
ALIKE: Final = (
    *("NCHW", "NHWC", "RGB", "BGR", "RGBA", "GRAY", "float32", "uint8", "image", "bias", "answer"),
    *("before", "after", "logits", "labels", "sigmoid", "multilabel", "probabilities", "logit"),
    *(1, 2, 3, 4, 5, 8, 32, 10**4, 10**9, 2**63, 2**70, -1, 0.0, 0.25, -0.5, 1e-300, 1e300),
    *([0, 1], [-1, 1], [0, 1e-300], [0.5, 0.5, 0.5], [1e300] * 3, [0], [8, 6], [10**9, 10**9], []),
    *([["bias", 1]], [["bias", [1, 2, 3]]], [["bias", [[[1]]]]], [["image", 1]], [["bias", None]]),
    *(["a"] * 3, ["x"] * 1000),
)


def damaged_json(rng: Rng, value: dict[str, Any]) -> str:
    """A contract of which one or two fields say something else, or whose text is damaged."""
    value = dict(value)
    for _ in range(int(rng.integers(1, 3))):
        name = pick(rng, [*value, "surprise"] if rng.random() < 0.1 else list(value))
        alike = [v for v in ALIKE if type(v) is type(value.get(name))]
        value[name] = pick(rng, alike if alike and rng.random() < 0.7 else VALUES)
        if rng.random() < 0.2:
            del value[name]
    text = json.dumps(value)
    if rng.random() < 0.15:
        text = damaged_bytes(rng, text.encode()).decode("utf-8", "replace")
    if rng.random() < 0.02:
        text = "[" * 50_000
    return text


# -- HDF5 ------------------------------------------------------------------------------------------


def damaged_hdf5(rng: Rng, path: Path) -> None:
    """Another value, type or shape for an attribute or array; or a group gone, in a valid file."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        node = file[pick(rng, names)] if names and rng.random() < 0.9 else file
        attributes = list(node.attrs)
        if attributes and rng.random() < 0.7:
            name = pick(rng, attributes)
            if rng.random() < 0.15:
                del node.attrs[name]
            else:
                odd = (
                    *INTEGERS[:6],
                    0.5,
                    float("nan"),
                    "",
                    "x",
                    "[]",
                    "{}",
                    "null",
                    b"\xff",
                    [1, 2],
                )
                node.attrs[name] = pick(rng, odd)
            return
        name = node.name
        if name == "/":
            return
        kind = int(rng.integers(6))
        if kind < 5:
            del file[name]
        arrays: tuple[Any, ...] = (0, "x", np.zeros(0), np.zeros((2, 2)), np.full((3, 2), -9))
        if 0 < kind < 4:
            file[name] = pick(rng, arrays)
        elif kind == 4:
            file.create_group(name)
        elif isinstance(node, h5py.Dataset) and node.size and node.dtype.kind in "iuf":
            node[...] = pick(rng, (0, 1, 100, 255))
