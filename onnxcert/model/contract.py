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
ASSUMED: Final = "assumed"  # the source of what nobody said
VERSION: Final = 1
LARGEST: Final = 65536  # of a batch, a side or a number of classes

LAYOUTS: Final = ("NCHW", "NHWC")
CHANNEL_ORDERS: Final = ("RGB", "BGR", "RGBA", "BGRA", "GRAY")
INTEGER_TYPES: Final = ("uint8", "int8")
DTYPES: Final = ("float32", "float16", *INTEGER_TYPES)
NORMALISE: Final = ("after", "before")
TASKS: Final = ("segmentation", "classification")
OUTPUT_FORMS: Final = ("logits", "probabilities", "sigmoid", "logit", "multilabel", "labels")


@dataclass(frozen=True)
class Contract:
    """How to talk to one model.

    A pixel value `x` of the declared input unit, in [0, 1], reaches the network as
    ``(low + x * (high - low) - mean) / std`` with ``(low, high) = value_range``; mean and std are
    per channel, in the network's channel order and in the unit of `value_range`. With `normalise`
    "before" they are in the declared unit: ``low + (x - mean) / std * (high - low)``.

    Attributes:
        input: name of the graph input that takes the picture.
        layout: order of the input's axes.
        channel_order: the input's channels; GRAY takes one grey channel, an alpha channel is
            always opaque.
        dtype: element type of the input; integers are rounded and cut off after the noise.
        value_range: what 0 and 1 of the declared unit become before normalising.
        mean, std: subtracted and divided by, per channel; empty where the graph does it itself.
        normalise: whether mean and std apply after or before the value range.
        batch: the only batch size the graph takes, or None where it is free.
        size: the only (height, width) the graph takes, or None where it is free.
        multiple: height and width must be multiples of this.
        feeds: values of further inputs, the same in every pass; (name, nested lists) pairs.
        output: name of the graph output that holds the answer.
        task: `segmentation`, an answer for every pixel, or `classification`, one for the picture.
        output_form: `logits` or `probabilities` of classes (argmax); `sigmoid` or `logit`, one
            channel against a threshold; `multilabel`, one channel per label, each against the
            threshold, as labels do not exclude each other; `labels`, class indices.
        output_layout, output_rank: order and number of the output's axes; 3 lacks the channels, 2
            height and width, 1 all of these.
        threshold: score above which a sigmoid, logit or multilabel output says yes.
        classes: number of classes (2 for yes and no), or None until the model has run once.
        class_names: one name a class, or a label of a multi-label output; or empty.
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
    normalise: str = "after"
    batch: int | None = None
    size: tuple[int, int] | None = None
    multiple: int | None = None
    feeds: tuple[tuple[str, Any], ...] = ()
    output: str = ""
    task: str = "segmentation"
    output_form: str = "logits"
    output_layout: str = "NCHW"
    output_rank: int = 4
    threshold: float | None = None
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    trained_sigma: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for name, allowed in (
            ("layout", LAYOUTS),
            ("channel_order", CHANNEL_ORDERS),
            ("dtype", DTYPES),
            ("normalise", NORMALISE),
            ("task", TASKS),
            ("output_form", OUTPUT_FORMS),
            ("output_layout", LAYOUTS),
            ("output_rank", (1, 2, 3, 4)),
        ):
            value = getattr(self, name)
            if value not in allowed:
                choices = " or ".join(map(str, allowed))
                raise ContractError(f"the contract's {name} must be {choices}, got {value!r}.")
        for name in ("value_range", "mean", "std"):
            values = getattr(self, name) or ()
            if not all(abs(value) < 1e30 for value in values):
                raise ContractError(
                    f"the contract's {name} must hold finite numbers, got {list(values)}."
                )
        if self.value_range is not None and self.value_range[0] >= self.value_range[1]:
            low, high = self.value_range
            raise ContractError(
                f"the value range must run from a smaller to a larger number, got {low:g},{high:g}."
            )
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (0, 1, self.network_channels):
                raise ContractError(
                    f"{name} must hold one number, or one for each of the {self.network_channels} "
                    f"channels ({self.channel_order}), got {len(getattr(self, name))} numbers."
                )
        self._refuse_range_outside_type()
        if any(value < 1e-30 for value in self.std):
            raise ContractError(f"std must be positive, got {list(self.std)}.")
        if self.classes is not None and self.classes > LARGEST:
            raise ContractError(f"there may be {LARGEST} classes at most, got {self.classes}.")
        if self.classes is not None and self.classes < 2:
            raise ContractError(f"a model must score at least 2 classes, got {self.classes}.")
        if (
            self.class_names
            and self.output_form != "multilabel"
            and self.classes not in (None, len(self.class_names))
        ):
            raise ContractError(
                f"the model scores {self.classes} classes but {len(self.class_names)} class names "
                "were given; give one name for each class."
            )
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise ContractError(f"the threshold must be a finite number, got {self.threshold}.")
        if self.trained_sigma is not None and not (
            np.isfinite(self.trained_sigma) and self.trained_sigma >= 0
        ):
            raise ContractError(
                f"trained_sigma must be a number not below 0, got {self.trained_sigma}."
            )

    def _refuse_range_outside_type(self) -> None:
        """Black and white must be values that an integer input can hold, with grey between."""
        if self.dtype not in INTEGER_TYPES or self.value_range is None:
            return
        held = np.iinfo(np.dtype(self.dtype))
        low, high = self.value_range
        if low < held.min or high > held.max or high - low < 2:
            raise ContractError(
                f"the input is {self.dtype}, which holds whole numbers from {held.min} to "
                f"{held.max}, got the value range {low:g},{high:g}; pass --range "
                f"{held.min},{held.max}."
            )

    @property
    def network_channels(self) -> int:
        """Channels of the network's input."""
        return {"GRAY": 1, "RGBA": 4, "BGRA": 4}.get(self.channel_order, 3)

    @property
    def channels(self) -> int:
        """Channels of the pictures that noise is added to: 1 for grey, else 3."""
        return 1 if self.channel_order == "GRAY" else 3

    @property
    def classifies(self) -> bool:
        """Whether the answer is about the whole picture, and not about each pixel."""
        return self.task == "classification"

    @property
    def binary(self) -> bool:
        """Whether a component is decided against a threshold: 2 classes, no and yes."""
        return self.output_form in ("sigmoid", "logit", "multilabel")

    @property
    def decision_threshold(self) -> float:
        """The threshold, or what is usual for the form: 0 for a logit, else 1/2."""
        if self.threshold is not None:
            return self.threshold
        return 0.0 if self.output_form == "logit" else 0.5

    @property
    def label_type(self) -> np.dtype[np.unsignedinteger]:
        """Smallest unsigned integer for labels 0 .. classes - 1 and one more for "no vote"."""
        classes = 2 if self.binary else self.classes
        return np.dtype(np.min_scalar_type(255 if classes is None else max(classes, 2)))

    def override(self, source: str, **values: Any) -> Self:
        """The same contract with `values` set, each noted as said by `source`."""
        return replace(self, **values, sources={**self.sources, **dict.fromkeys(values, source)})

    def to_json(self) -> str:
        """One JSON object, fields in order, without those that are unset or merely assumed."""
        values = {
            name: value
            for name, value in asdict(self).items()
            if name != "sources"
            and value not in (None, (), "")
            and self.sources.get(name) != ASSUMED
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
        except (ValueError, RecursionError) as error:
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
        case "batch" | "classes" | "multiple" | "output_rank":
            if not _natural(value):
                raise refuse(f"a whole number from 1 to {LARGEST}")
            return value
        case "size":
            if not isinstance(value, list) or len(value) != 2 or not all(map(_natural, value)):
                raise refuse("[height, width]")
            return value[0], value[1]
        case "class_names":
            if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                raise refuse("a list of names")
            return tuple(value)
        case "feeds":
            pairs = isinstance(value, list) and all(
                isinstance(v, list) and len(v) == 2 and isinstance(v[0], str) for v in value
            )
            if not pairs:
                raise refuse("a list of [name, values]")
            return tuple((name, values) for name, values in value)
        case "trained_sigma" | "threshold":
            if not _numbers([value]):
                raise refuse("a number")
            return float(value)
        case _:
            if not isinstance(value, str):
                raise refuse("a text")
            return value


def _natural(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST


def _numbers(value: Any) -> bool:
    return isinstance(value, Sequence) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e30 for v in value
    )
