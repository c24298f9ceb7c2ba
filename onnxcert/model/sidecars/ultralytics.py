"""Read the metadata that Ultralytics writes into an ONNX file: Python literals as strings."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from typing import Any, Final

from onnxcert.errors import ContractError
from onnxcert.model.sidecars.claim import SourceReader, SourceSettings

_SOURCE: Final = "the file's metadata (Ultralytics)"
_KEYS: Final = frozenset({"task", "stride", "names"})
_TASKS: Final = {"semantic": "segmentation", "classify": "classification"}
_MOST: Final = 2**20  # characters of a literal; enough for 10,000 names
_ORDERS: Final = {1: "GRAY", 3: "RGB"}


def metadata(metadata: Mapping[str, str]) -> SourceSettings | None:
    """Read the metadata; return None for those of another program or an unsupported task.

    Tasks with boxes are refused in `onnxcert.model.detect.other_tasks`.
    """
    if not set(metadata) >= _KEYS or metadata["task"] not in _TASKS:
        return None
    read = [key for key in ("stride", "names", "imgsz", "channels") if key in metadata]
    reader = SourceReader(_SOURCE, {key: _literal(metadata[key], key) for key in read})
    names = reader.class_names("names")
    # Ultralytics divides pixels by 255 and uses RGB.
    fields: dict[str, Any] = {
        "task": _TASKS[metadata["task"]],
        "value_range": (0.0, 1.0),
        "mean": (),
        "std": (),
        "normalise": "after",
    }
    channels = reader.values.get("channels", 3)
    if isinstance(channels, int) and channels in _ORDERS:
        fields["channel_order"] = _ORDERS[channels]
    if len(names) > 1:
        fields |= {"classes": len(names), "class_names": names}
    sides = reader.values.get("imgsz", [])
    stride = reader.number("stride", 1)
    whole = stride == int(stride) and 1 < stride <= 1024
    if whole and isinstance(sides, list) and all(_is_multiple(int(stride), side) for side in sides):
        fields["multiple"] = int(stride)
    return SourceSettings(_SOURCE, fields)


def _is_multiple(step: int, side: Any) -> bool:
    return isinstance(side, int) and side % step == 0


def _literal(text: str, key: str) -> Any:
    """Parse a Python literal, without evaluating code."""
    try:
        if len(text) > _MOST:
            raise ValueError(f"{len(text)} characters")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in a string
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        line = (str(error).splitlines() or [""])[0][:60]
        raise ContractError(
            f"{_SOURCE} has no Python literal under {key!r} ({line}); export the model again."
        ) from None
