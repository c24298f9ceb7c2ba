"""Read the metadata that Ultralytics and OpenVINO's Model API write into an ONNX file."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

from onnxcert.errors import ContractError
from onnxcert.model.sidecars.source import SourceReader, SourceSettings

_ULTRALYTICS: Final = "the file's metadata (Ultralytics)"
_KEYS: Final = frozenset({"task", "stride", "names"})
_SEMANTIC: Final = {"semantic": "segmentation", "classify": "classification"}
_MOST: Final = 2**20  # characters of a literal; enough for 10,000 names
_ORDERS: Final = {1: "GRAY", 3: "RGB"}

_OPENVINO: Final = "the file's metadata (OpenVINO)"
_PREFIX: Final = "model_info "
_TASKS: Final = ("segmentation", "classification")


def read_metadata(metadata: Mapping[str, str]) -> Iterator[SourceSettings]:
    """Yield the settings in the metadata of other programs."""
    if set(metadata) >= _KEYS and metadata["task"] in _SEMANTIC:
        yield _read_ultralytics(metadata)
    values = {k.removeprefix(_PREFIX): v for k, v in metadata.items() if k.startswith(_PREFIX)}
    if values:
        yield _read_openvino(SourceReader(_OPENVINO, values))


def _read_ultralytics(metadata: Mapping[str, str]) -> SourceSettings:
    """Read metadata whose values are Python literals.

    Tasks with boxes are refused in `onnxcert.model.detect.other_tasks`.
    """
    read = [key for key in ("stride", "names", "imgsz", "channels") if key in metadata]
    reader = SourceReader(_ULTRALYTICS, {key: _literal(metadata[key], key) for key in read})
    names = reader.class_names("names")
    # Ultralytics divides pixels by 255 and uses RGB.
    fields: dict[str, Any] = {
        "task": _SEMANTIC[metadata["task"]],
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
    return SourceSettings(_ULTRALYTICS, fields)


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
            f"{_ULTRALYTICS} has no Python literal under {key!r} ({line}); export the model again."
        ) from None


def _read_openvino(reader: SourceReader) -> SourceSettings:
    """Read the keys ``model_info ...``.

    Mean and scale are for pixels in [0, 255]. The channel order depends on the calling program, so
    it is not read.
    """
    fields: dict[str, Any] = {}
    ignored: tuple[str, ...] = ()
    kind = str(reader.values.get("model_type", "")).lower()
    if kind in _TASKS:
        fields["task"] = kind
    mode = reader.values.get("intensity_mode", "none")
    if mode != "none":
        ignored = (
            f"{_OPENVINO} scale pixels by a rule that is not supported "
            f"(intensity_mode {mode[:60]})",
        )
    elif reader.has("mean_values") and reader.has("scale_values"):
        fields |= {
            "value_range": (0.0, 255.0),
            "mean": _numbers(reader, "mean_values"),
            "std": _numbers(reader, "scale_values"),
            "normalise": "after",
        }
    return SourceSettings(_OPENVINO, fields, ignored)


def _numbers(reader: SourceReader, key: str) -> tuple[float, ...]:
    try:
        values: Any = [float(word) for word in str(reader.values[key]).split()]
    except ValueError:
        raise reader.type_error(key, "numbers") from None
    return SourceReader(reader.source, {key: values}).numbers(key)
