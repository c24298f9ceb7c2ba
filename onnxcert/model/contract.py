"""The I/O contract: what a model's input and output mean, and who said so.

A tensor's shape does not say whether pixels run to 1 or to 255, or in which order the channels
come. A contract says it, field by field, each with its source. It travels inside the ONNX file as
one JSON value under the `metadata_props` key ``onnxcert``; what the file leaves open is inferred
where the graph says it, given by flags, or refused.

Here is what contracts of every kind of input have in common; `onnxcert.model.pictures` and
`onnxcert.model.points` add what is their own.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Final, Self

import numpy as np

from onnxcert.errors import ContractError

METADATA_KEY: Final = "onnxcert"
ASSUMED: Final = "assumed"  # the source of what nobody said
VERSION: Final = 1
LARGEST: Final = 65536  # of a batch, a side or a number of classes

INTEGER_TYPES: Final = ("uint8", "int8")
TASKS: Final = ("segmentation", "classification")
OUTPUT_FORMS: Final = ("logits", "probabilities", "sigmoid", "logit", "multilabel", "labels")


@dataclass(frozen=True)
class Contract(ABC):
    """How to talk to one model, whatever its inputs are.

    Attributes:
        medium: what an input is: `picture` or `points`.
        layouts, ranks, dtypes: what the fields of these names may be.
        single_layouts: orders of the axes of an output that has no batch axis, so that a pass
            takes one input; `C` is a classifier's.
        input: name of the graph input that takes the picture or the points.
        layout: order of the input's axes.
        dtype: element type of the input; integers are rounded and cut off after the noise.
        batch: the only batch size the graph takes, or None where it is free.
        feeds: values of further inputs, the same in every pass; (name, nested lists) pairs.
        output: name of the graph output that holds the answer.
        task: `segmentation`, an answer for every component, or `classification`, one for all.
        output_form: `logits` or `probabilities` of classes (argmax); `sigmoid` or `logit`, one
            channel against a threshold; `multilabel`, one channel per label, each against the
            threshold, as labels do not exclude each other; `labels`, class indices.
        output_layout: order of the output's axes, with a batch axis (one of `layouts`) or without
            one (one of `single_layouts`).
        output_rank: number of the output's axes; those missing from a layout with a batch axis are
            first the channels, then the components.
        threshold: score above which a sigmoid, logit or multilabel output says yes.
        classes: number of classes (2 for yes and no), or None until the model has run once.
        class_names: one name a class, or a label of a multi-label output; or empty.
        trained_sigma: noise the model was trained with, in the declared unit, or None.
        sources: for each field above that is set, who said so.
    """

    medium: ClassVar[str]
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

    def check_choices(self, **allowed: Sequence[Any]) -> None:
        """Raise ContractError unless each field named has one of the values allowed."""
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
        """Grids of components that the network is tried on, until it answers on one."""

    @property
    def single(self) -> bool:
        """Whether the output has no batch axis, so that a pass takes one input."""
        return self.output_layout in self.single_layouts

    @property
    def answer_rank(self) -> int:
        """Number of the answer's axes once it has a batch axis."""
        return self.output_rank + self.single

    @property
    def output_axes(self) -> str:
        """The order of the axes that the output has, the batch and the classes included."""
        layout = self.output_layout
        if self.single or self.output_rank == len(layout):
            return layout
        return (
            layout[0] + "C" * (self.output_rank - 1) if self.classifies else layout.replace("C", "")
        )

    @property
    def channels_last(self) -> bool:
        """Whether the output holds the classes of a component side by side."""
        return self.output_layout.endswith("C") and self.output_layout != "C"

    @property
    def classifies(self) -> bool:
        """Whether the answer is about the whole input, and not about each of its parts."""
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
        medium = {} if self.medium == "picture" else {"medium": self.medium}
        return json.dumps({"version": VERSION, **medium, **values})

    @classmethod
    def from_json(cls, text: str, *, source: str) -> Self:
        """Read a contract back.

        Raises:
            ContractError: not JSON, another version or medium, an unknown field or a wrong value.
        """
        values = parsed(text)
        medium = values.pop("medium")
        if medium != cls.medium:
            raise ContractError(f"the contract's medium must be {cls.medium!r}, got {medium!r}.")
        known = {f.name for f in fields(cls)} - {"sources"}
        if unknown := sorted(set(values) - known):
            raise ContractError(f"the contract has an unknown field {unknown[0]!r}.")
        checked = {name: cls.parse(name, value) for name, value in values.items()}
        return cls(**checked, sources=dict.fromkeys(checked, source))

    @classmethod
    def parse(cls, name: str, value: Any) -> Any:
        """Turn one JSON value into the field's type.

        Raises:
            ContractError: it is of another type.
        """
        match name:
            case "batch" | "classes" | "output_rank":
                return natural(name, value)
            case "class_names":
                if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                    raise refused(name, "a list of names", value)
                return tuple(value)
            case "feeds":
                pairs = isinstance(value, list) and all(
                    isinstance(v, list) and len(v) == 2 and isinstance(v[0], str) for v in value
                )
                if not pairs:
                    raise refused(name, "a list of [name, values]", value)
                return tuple((name, values) for name, values in value)
            case "trained_sigma" | "threshold":
                return number(name, value)
            case _:
                if not isinstance(value, str):
                    raise refused(name, "a text", value)
                return value


def parsed(text: str) -> dict[str, Any]:
    """The fields of a contract as JSON values, its `medium` always among them.

    Raises:
        ContractError: not JSON, not an object or another version.
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
    return {"medium": "picture", **values}


def refused(name: str, expected: str, value: Any) -> ContractError:
    """What to raise where a field has a value of another kind."""
    return ContractError(f"the contract's {name} must be {expected}, got {value!r}.")


def natural(name: str, value: Any, *, zero: bool = False) -> int:
    """A whole number from 1 (0 with `zero`) to `LARGEST`."""
    least = 0 if zero else 1
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST:
        raise refused(name, f"a whole number from {least} to {LARGEST}", value)
    return value


def number(name: str, value: Any) -> float:
    """A number."""
    if not is_number(value):
        raise refused(name, "a number", value)
    return float(value)


def numbers(name: str, value: Any, expected: str = "a list of numbers") -> tuple[float, ...]:
    """A list of numbers."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(map(is_number, value)):
        raise refused(name, expected, value)
    return tuple(float(v) for v in value)


def is_number(value: Any) -> bool:
    """Whether `value` is a number that float32 holds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30
