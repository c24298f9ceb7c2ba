"""What one source says about a model, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from onnxcert.errors import ContractError
from onnxcert.model.contract import is_number

_LONGEST = 60  # characters of a value in a message
_LONGEST_NAME = 100


@final
@dataclass(frozen=True)
class Claim:
    """What one source says.

    Attributes:
        source: the file, or `the file's metadata`, as the contract names it.
        fields: fields of the contract by name. Mean and std that are empty say that there are none.
        ignored: what it says and is not used, as sentences without a full stop.
        task: why the model does not label pixels or pictures, or nothing.
        reduces_labels: whether label files are lowered by one before training: 0 is no class, and
            1 is the first.
        ignore_label: the label that did not count in training.
    """

    source: str
    fields: Mapping[str, Any]
    ignored: tuple[str, ...] = ()
    task: str = ""
    reduces_labels: bool = False
    ignore_label: int | None = None


@final
@dataclass(frozen=True)
class Said:
    """The content of one source, read key by key; a value of another kind is refused.

    Attributes:
        source: for the message.
        values: by key.
    """

    source: str
    values: Mapping[str, Any]

    def refused(self, key: str, expected: str) -> ContractError:
        """What to raise where a key has a value of another kind."""
        value = repr(self.values[key])
        shown = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
        return ContractError(
            f"{self.source} says that {key} is {shown} where {expected} was expected; correct it, "
            "or move the model to a folder without it."
        )

    def given(self, key: str) -> bool:
        """Whether it says anything about `key`."""
        return self.values.get(key) is not None

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false; null is false, as in the programs that write it."""
        value = self.values.get(key, default)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.refused(key, "true or false")
        return value

    def number(self, key: str, default: float) -> float:
        """A number."""
        if not self.given(key):
            return default
        value = self.values[key]
        if not is_number(value):
            raise self.refused(key, "a number")
        return float(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        """Numbers, or one for all channels."""
        value = self.values[key]
        many = value if isinstance(value, list) else [value]
        if not many or not all(map(is_number, many)):
            raise self.refused(key, "a list of numbers")
        return tuple(float(v) for v in many)

    def names(self, key: str) -> tuple[str, ...]:
        """Names of the classes 0, 1, ... of a mapping from each index to its name, or of a list."""
        value = self.values[key]
        if isinstance(value, list):
            value = dict(enumerate(value))
        if not isinstance(value, dict) or not all(isinstance(n, str) for n in value.values()):
            raise self.refused(key, "a name for each class")
        by_index = {str(index): name for index, name in value.items()}
        try:
            found = [by_index[str(index)] for index in range(len(value))]
        except KeyError:
            raise self.refused(key, "a name for each of the classes 0, 1, ...") from None
        return tuple(_printable(name) for name in found)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[:_LONGEST_NAME])
