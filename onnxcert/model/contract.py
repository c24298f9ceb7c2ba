"""The I/O contract: what a model's input and output mean, and who said so.

A tensor's shape does not say whether pixels run to 1 or to 255, or in which order the channels
come. A contract says it, field by field, each with its source. It travels inside the ONNX file as
one JSON value under the `metadata_props` key ``onnxcert``; what the file leaves open is inferred
where the graph says it, given by flags, or refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Self

import numpy as np

from onnxcert.errors import ContractError

METADATA_KEY: Final = "onnxcert"
VERSION: Final = 1

LAYOUTS: Final = ("NCHW",)
CHANNEL_ORDERS: Final = ("RGB",)
DTYPES: Final = ("float32",)
OUTPUT_FORMS: Final = ("logits", "probabilities")


@dataclass(frozen=True)
class Contract:
    """How to talk to one segmentation model.

    A pixel value `x` of the declared input unit, in [0, 1], reaches the network as
    ``(low + x * (high - low) - mean) / std`` with ``(low, high) = value_range``; mean and std are
    per channel and in the unit of `value_range`.

    Attributes:
        input: name of the graph input that takes the picture.
        layout: order of the input's axes; ``NCHW``.
        channel_order: order of the input's channels; ``RGB``.
        dtype: element type of the input; ``float32``.
        value_range: what 0 and 1 of the declared unit become before normalising.
        mean, std: subtracted and divided by, per channel; empty where the graph does it itself.
        batch: the only batch size the graph takes, or None where it is free.
        size: the only (height, width) the graph takes, or None where it is free.
        output: name of the graph output that holds the scores.
        output_form: ``logits`` or ``probabilities``, [batch, classes, h, w]; both mean argmax.
        classes: number of classes, or None until the model has run once.
        class_names: one name a class, or empty.
        trained_sigma: noise the model was trained with, in the declared unit, or None.
        sources: for each field above that is set, who said so.
    """

    input: str = ""
    layout: str = "NCHW"
    channel_order: str = "RGB"
    dtype: str = "float32"
    value_range: tuple[float, float] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    batch: int | None = None
    size: tuple[int, int] | None = None
    output: str = ""
    output_form: str = "logits"
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    trained_sigma: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for name, allowed in (
            ("layout", LAYOUTS),
            ("channel_order", CHANNEL_ORDERS),
            ("dtype", DTYPES),
            ("output_form", OUTPUT_FORMS),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise ContractError(
                    f"the contract's {name} must be {' or '.join(allowed)}, got {value!r}; "
                    "export the model in that form."
                )
        for name in ("value_range", "mean", "std"):
            values = getattr(self, name) or ()
            if not all(np.isfinite(value) for value in values):
                raise ContractError(
                    f"the contract's {name} must hold finite numbers, got {list(values)}."
                )
        if self.value_range is not None and self.value_range[0] >= self.value_range[1]:
            low, high = self.value_range
            raise ContractError(
                f"the value range must run from a smaller to a larger number, got {low:g},{high:g}."
            )
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (0, 1, 3):
                raise ContractError(
                    f"{name} must hold one number, or one for each of the 3 channels, got "
                    f"{len(getattr(self, name))} numbers."
                )
        if any(value <= 0 for value in self.std):
            raise ContractError(f"std must be positive, got {list(self.std)}.")
        if self.classes is not None and self.classes < 2:
            raise ContractError(
                f"a segmentation model must score at least 2 classes, got {self.classes}."
            )
        if self.class_names and self.classes not in (None, len(self.class_names)):
            raise ContractError(
                f"the model scores {self.classes} classes but {len(self.class_names)} class names "
                "were given; give one name for each class."
            )
        if self.trained_sigma is not None and not (
            np.isfinite(self.trained_sigma) and self.trained_sigma >= 0
        ):
            raise ContractError(
                f"trained_sigma must be a number not below 0, got {self.trained_sigma}."
            )

    def override(self, source: str, **values: Any) -> Self:
        """The same contract with `values` set, each noted as said by `source`."""
        return replace(self, **values, sources={**self.sources, **dict.fromkeys(values, source)})

    def to_json(self) -> str:
        """One JSON object, fields in order, without those that are unset and without sources."""
        values = {
            name: value
            for name, value in asdict(self).items()
            if name != "sources" and value not in (None, (), "")
        }
        return json.dumps({"version": VERSION, **values})

    @classmethod
    def from_json(cls, text: str, *, source: str) -> Self:
        """Read a contract back.

        Raises:
            ContractError: not JSON, another version, an unknown field or a wrong value.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ContractError(f"the contract is not valid JSON ({error}).") from None
        if not isinstance(values, dict):
            raise ContractError("the contract must be a JSON object.")
        version = values.pop("version", None)
        if version != VERSION:
            raise ContractError(
                f"the contract has version {version!r}, this onnxcert reads {VERSION}; "
                "use the onnxcert that wrote it or export the model again."
            )
        known = {f.name for f in fields(cls)} - {"sources"}
        if unknown := sorted(set(values) - known):
            raise ContractError(f"the contract has an unknown field {unknown[0]!r}.")
        checked = {name: _parse(name, value) for name, value in values.items()}
        return cls(**checked, sources=dict.fromkeys(checked, source))


def _parse(name: str, value: Any) -> Any:
    """Turn one JSON value into the field's type, or say what was expected."""

    def refuse(expected: str) -> ContractError:
        return ContractError(f"the contract's {name} must be {expected}, got {value!r}.")

    match name:
        case "value_range":
            if not _numbers(value) or len(value) != 2:
                raise refuse("two numbers")
            return float(value[0]), float(value[1])
        case "mean" | "std":
            if not _numbers(value):
                raise refuse("a list of numbers")
            return tuple(float(v) for v in value)
        case "batch" | "classes":
            if not _natural(value):
                raise refuse("a whole number above 0")
            return value
        case "size":
            if not isinstance(value, list) or len(value) != 2 or not all(map(_natural, value)):
                raise refuse("[height, width]")
            return value[0], value[1]
        case "class_names":
            if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                raise refuse("a list of names")
            return tuple(value)
        case "trained_sigma":
            if not _numbers([value]):
                raise refuse("a number")
            return float(value)
        case _:
            if not isinstance(value, str):
                raise refuse("a text")
            return value


def _natural(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _numbers(value: Any) -> bool:
    return isinstance(value, Sequence) and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in value
    )
