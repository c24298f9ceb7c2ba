"""The I/O contract: what a model's input and output mean, with the source of each field.

A tensor's shape does not tell the pixel range or the channel order; a contract does. It is stored
in the ONNX file as one JSON value under the `metadata_props` key ``onnxcert``. Fields that the file
does not give are detected from the graph, given by flags, or refused.

`onnxcert.model.contract.image` and `.points` add the fields of one modality.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Final, Self, TypeVar

import numpy as np

from onnxcert.errors import ContractError
from onnxcert.model.contract.modality import Modality

METADATA_KEY: Final = "onnxcert"
ASSUMED: Final = "assumed"  # the source of a default value
VERSION: Final = 1
LARGEST: Final = 65536  # largest batch, side or number of classes

INTEGER_TYPES: Final = ("uint8", "int8")
TASKS: Final = ("segmentation", "classification")
OUTPUT_FORMS: Final = ("logits", "probabilities", "sigmoid", "logit", "multilabel", "labels")


@dataclass(frozen=True)
class Contract(ABC):
    """Input and output of a model, for any modality.

    Attributes:
        layouts: Allowed values of `layout`.
        ranks: Allowed values of `output_rank`.
        dtypes: Allowed values of `dtype`.
        single_layouts: Axis orders of an output without batch axis (one input per pass); `C` is
            that of a classifier.
        input: Name of the graph input that takes the image or the points.
        layout: Order of the input's axes.
        dtype: Element type of the input; for integers, values are rounded and clipped after noise.
        batch: The only batch size of the graph, or None if it is free.
        feeds: Constant values of further inputs; (name, nested lists) pairs.
        output: Name of the graph output that holds the prediction.
        task: `segmentation`, one label per component, or `classification`, one per input.
        output_form: `logits` or `probabilities` of classes (argmax); `sigmoid` or `logit`, one
            channel against a threshold; `multilabel`, one channel per label, each against the
            threshold, as labels do not exclude each other; `labels`, class indices.
        output_layout: Order of the output's axes, one of `layouts` or `single_layouts`.
        output_rank: Number of the output's axes; a layout with a batch axis loses first the
            channels, then the components.
        threshold: Score above which a sigmoid, logit or multilabel output is positive.
        classes: Number of classes (2 for binary outputs), or None until the model has run once.
        class_names: One name per class, or per label of a multi-label output; or empty.
        trained_sigma: Noise level of the training, in the declared unit, or None.
        sources: Source of each field above that is set.
    """

    modality: ClassVar[Modality]
    layouts: ClassVar[tuple[str, ...]]
    single_layouts: ClassVar[tuple[str, ...]]
    ranks: ClassVar[tuple[int, ...]]
    dtypes: ClassVar[tuple[str, ...]]

    input: str = ""
    layout: str = ""
    dtype: str = "float32"
    batch: int | None = None
    feeds: tuple[tuple[str, Any], ...] = ()
    output: str = ""
    task: str = "segmentation"
    output_form: str = "logits"
    output_layout: str = ""
    output_rank: int = 0
    threshold: float | None = None
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    trained_sigma: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        self.check_choices(
            layout=self.layouts,
            dtype=self.dtypes,
            task=TASKS,
            output_form=OUTPUT_FORMS,
            output_layout=(*self.layouts, *self.single_layouts),
            output_rank=self.ranks,
        )
        if self.classes is not None and not 2 <= self.classes <= LARGEST:
            raise ContractError(f"a model must score 2 to {LARGEST} classes, got {self.classes}.")
        one_name_each = self.class_names and self.output_form != "multilabel"
        if one_name_each and self.classes not in (None, len(self.class_names)):
            raise ContractError(
                f"the model scores {self.classes} classes but {len(self.class_names)} class names "
                "are given; give one name for each class."
            )
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise ContractError(f"the threshold must be a finite number, got {self.threshold}.")
        if self.trained_sigma is not None and not 0 <= self.trained_sigma < np.inf:
            raise ContractError(
                f"trained_sigma must be a number not below 0, got {self.trained_sigma}."
            )

    def check_choices(self, **allowed: Sequence[Any]) -> None:
        """Raise ContractError unless each named field has one of the allowed values."""
        for name, values in allowed.items():
            value = getattr(self, name)
            if value not in values:
                choices = " or ".join(map(str, values))
                raise ContractError(f"the contract's {name} must be {choices}, got {value!r}.")

    @property
    @abstractmethod
    def network_channels(self) -> int:
        """Channels of the network's input."""

    @property
    @abstractmethod
    def declared_channels(self) -> int:
        """Channels of the array that noise is added to."""

    @property
    @abstractmethod
    def trial_grids(self) -> tuple[tuple[int, ...], ...]:
        """Grids of components for trial passes, in the order in which they are tried."""

    @property
    def passes(self) -> int:
        """Number of passes over which the scores of one input are averaged."""
        return 1

    @property
    def single(self) -> bool:
        """Whether the output has no batch axis, so that a pass takes one input."""
        return self.output_layout in self.single_layouts

    @property
    def answer_rank(self) -> int:
        """Number of the output's axes after a batch axis is added."""
        return self.output_rank + self.single

    @property
    def output_axes(self) -> str:
        """The order of the output's axes, including batch and classes."""
        layout = self.output_layout
        if self.single or self.output_rank == len(layout):
            return layout
        labels = layout.replace("C", "")
        return layout[0] + "C" * (self.output_rank - 1) if self.classifies else labels

    @property
    def channels_last(self) -> bool:
        """Whether the channel axis of the output is the last one."""
        return self.output_layout.endswith("C") and self.output_layout != "C"

    @property
    def classifies(self) -> bool:
        """Whether the model predicts one label for the whole input, not one per component."""
        return self.task == "classification"

    @property
    def binary(self) -> bool:
        """Whether a score is compared with a threshold: 2 classes, no and yes."""
        return self.output_form in ("sigmoid", "logit", "multilabel")

    @property
    def decision_threshold(self) -> float:
        """The threshold, or the default of the output form: 0 for a logit, else 1/2."""
        if self.threshold is not None:
            return self.threshold
        return 0.0 if self.output_form == "logit" else 0.5

    @property
    def label_type(self) -> np.dtype[np.unsignedinteger]:
        """Smallest unsigned type for labels 0 .. classes - 1 and one value for "invalid"."""
        classes = 2 if self.binary else self.classes
        return np.dtype(np.min_scalar_type(255 if classes is None else max(classes, 2)))

    def override(self, source: str, **values: Any) -> Self:
        """Return a copy with `values` set, and `source` recorded as the source of each."""
        return replace(self, **values, sources={**self.sources, **dict.fromkeys(values, source)})

    def to_json(self) -> str:
        """Return a JSON object of the fields in order, without unset and assumed ones."""
        values = {
            name: value
            for name, value in asdict(self).items()
            if name != "sources"
            and value not in (None, (), "")
            and self.sources.get(name) != ASSUMED
        }
        medium = {} if self.modality is Modality.IMAGE else {"medium": self.modality}
        return json.dumps({"version": VERSION, **medium, **values})

    @classmethod
    def from_json(cls, text: str, *, source: str) -> Self:
        """Read a contract of this modality from JSON; see `read_contract`."""
        return read_contract(text, (cls,), source=source)

    @classmethod
    def parse(cls, name: str, value: Any) -> Any:
        """Convert a JSON value to the type of the field `name`.

        Raises:
            ContractError: The value has another type.
        """
        match name:
            case "batch" | "classes" | "output_rank":
                return check_natural(name, value)
            case "class_names":
                return check_names(name, value)
            case "feeds":
                pairs = isinstance(value, list) and all(
                    isinstance(v, list) and len(v) == 2 and isinstance(v[0], str) for v in value
                )
                if not pairs:
                    raise field_error(name, "a list of [name, values]", value)
                return tuple((name, values) for name, values in value)
            case "trained_sigma" | "threshold":
                return check_number(name, value)
            case _:
                if not isinstance(value, str):
                    raise field_error(name, "a string", value)
                return value


AnyContract = TypeVar("AnyContract", bound=Contract)


def read_contract(text: str, kinds: Sequence[type[AnyContract]], *, source: str) -> AnyContract:
    """Read a contract of one of `kinds` from JSON.

    Raises:
        ContractError: The text is not a JSON object, or has another version, another modality, an
            unknown field or a wrong value.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"the contract is not valid JSON ({error}).") from None
    if not isinstance(values, dict):
        raise ContractError("the contract must be a JSON object.")
    version, medium = values.pop("version", None), values.pop("medium", Modality.IMAGE.value)
    if version != VERSION:
        raise ContractError(
            f"the contract has version {version!r} but this onnxcert reads version {VERSION}; "
            "use the onnxcert that wrote it, or export the model again."
        )
    kind = next((kind for kind in kinds if kind.modality == medium), None)
    if kind is None:
        media = " or ".join(kind.modality for kind in kinds)
        raise ContractError(f"the contract's medium must be {media}, got {medium!r}.")
    if unknown := sorted(set(values) - ({f.name for f in fields(kind)} - {"sources"})):
        raise ContractError(f"the contract has an unknown field {unknown[0]!r}.")
    checked = {name: kind.parse(name, value) for name, value in values.items()}
    return kind(**checked, sources=dict.fromkeys(checked, source))


def field_error(name: str, expected: str, value: Any) -> ContractError:
    """Return the error for a field with a value of the wrong type or range."""
    return ContractError(f"the contract's {name} must be {expected}, got {value!r}.")


def check_natural(name: str, value: Any, *, zero: bool = False) -> int:
    """Check and return a whole number from 1 (0 with `zero`) to `LARGEST`."""
    least = 0 if zero else 1
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST:
        raise field_error(name, f"a whole number from {least} to {LARGEST}", value)
    return value


def check_names(name: str, value: Any) -> tuple[str, ...]:
    """Check and return a list of names."""
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise field_error(name, "a list of names", value)
    return tuple(value)


def check_number(name: str, value: Any) -> float:
    """Check and return a number."""
    if not is_number(value):
        raise field_error(name, "a number", value)
    return float(value)


def check_numbers(name: str, value: Any, expected: str = "a list of numbers") -> tuple[float, ...]:
    """Check and return a list of numbers."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(map(is_number, value)):
        raise field_error(name, expected, value)
    return tuple(float(v) for v in value)


def is_number(value: Any) -> bool:
    """Return whether `value` is a number that float32 holds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30
