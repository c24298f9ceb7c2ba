"""Read the metadata that OpenVINO's Model API writes into an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from onnxcert.model.sidecars.claim import Claim, Said

_SOURCE: Final = "the file's metadata (OpenVINO)"
_PREFIX: Final = "model_info "
_TASKS: Final = {"segmentation": "segmentation", "classification": "classification"}


def metadata(metadata: Mapping[str, str]) -> Claim | None:
    """Read the keys ``model_info ...`` of Model API; return None if there are none.

    Mean and scale are for pixels in [0, 255]. The channel order depends on the calling program, so
    it is not read.
    """
    said = Said(
        _SOURCE,
        {k.removeprefix(_PREFIX): v for k, v in metadata.items() if k.startswith(_PREFIX)},
    )
    if not said.values:
        return None
    fields: dict[str, Any] = {}
    ignored: tuple[str, ...] = ()
    kind = str(said.values.get("model_type", "")).lower()
    if kind in _TASKS:
        fields["task"] = _TASKS[kind]
    mode = said.values.get("intensity_mode", "none")
    if mode != "none":
        ignored = (
            f"{_SOURCE} scale pixels by a rule that is not supported (intensity_mode {mode[:60]})",
        )
    elif said.given("mean_values") and said.given("scale_values"):
        fields |= {
            "value_range": (0.0, 255.0),
            "mean": _numbers(said, "mean_values"),
            "std": _numbers(said, "scale_values"),
            "normalise": "after",
        }
    return Claim(_SOURCE, fields, ignored)


def _numbers(said: Said, key: str) -> tuple[float, ...]:
    try:
        values: Any = [float(word) for word in str(said.values[key]).split()]
    except ValueError:
        raise said.refused(key, "numbers") from None
    return Said(said.source, {key: values}).numbers(key)


def unread(model: Path) -> tuple[str, ...]:
    """Return a note for each OpenVINO file beside a model; it describes another model file."""
    files = (model.with_suffix(".xml"), model.with_name("model.yml"))
    return tuple(
        f"{file.name} beside it is not read: it describes OpenVINO's own format of the model"
        for file in files
        if file.is_file()
    )
