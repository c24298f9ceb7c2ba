"""Read the metadata that OpenVINO's Model API writes into an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from onnxcert.model.sidecars.claim import SourceReader, SourceSettings

_SOURCE: Final = "the file's metadata (OpenVINO)"
_PREFIX: Final = "model_info "
_TASKS: Final = {"segmentation": "segmentation", "classification": "classification"}


def metadata(metadata: Mapping[str, str]) -> SourceSettings | None:
    """Read the keys ``model_info ...`` of Model API; return None if there are none.

    Mean and scale are for pixels in [0, 255]. The channel order depends on the calling program, so
    it is not read.
    """
    reader = SourceReader(
        _SOURCE,
        {k.removeprefix(_PREFIX): v for k, v in metadata.items() if k.startswith(_PREFIX)},
    )
    if not reader.values:
        return None
    fields: dict[str, Any] = {}
    ignored: tuple[str, ...] = ()
    kind = str(reader.values.get("model_type", "")).lower()
    if kind in _TASKS:
        fields["task"] = _TASKS[kind]
    mode = reader.values.get("intensity_mode", "none")
    if mode != "none":
        ignored = (
            f"{_SOURCE} scale pixels by a rule that is not supported (intensity_mode {mode[:60]})",
        )
    elif reader.has("mean_values") and reader.has("scale_values"):
        fields |= {
            "value_range": (0.0, 255.0),
            "mean": _numbers(reader, "mean_values"),
            "std": _numbers(reader, "scale_values"),
            "normalise": "after",
        }
    return SourceSettings(_SOURCE, fields, ignored)


def _numbers(reader: SourceReader, key: str) -> tuple[float, ...]:
    try:
        values: Any = [float(word) for word in str(reader.values[key]).split()]
    except ValueError:
        raise reader.type_error(key, "numbers") from None
    return SourceReader(reader.source, {key: values}).numbers(key)


def list_unread(model: Path) -> tuple[str, ...]:
    """Return a note for each OpenVINO file beside a model; it describes another model file."""
    files = (model.with_suffix(".xml"), model.with_name("model.yml"))
    return tuple(
        f"{file.name} beside it is not read: it describes OpenVINO's own format of the model"
        for file in files
        if file.is_file()
    )
