"""The settings that one source gives for a model, and a reader that checks their types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from onnxcert.errors import ContractError
from onnxcert.files.regular import UnsuitableFileError, read_regular_file
from onnxcert.model.contract.base import is_number

MOST = 4 * 2**20  # bytes of a JSON file; the largest published, with 21,000 names, have half
_LONGEST = 60  # characters of a value in a message
_LONGEST_NAME = 100


@final
@dataclass(frozen=True)
class SourceSettings:
    """The settings that one source gives.

    Attributes:
        source: The file, or `the file's metadata`, as the contract names it.
        fields: Fields of the contract by name. An empty mean or std means that there is none.
        ignored: Notes on settings that are not used: sentences without a full stop.
        task: Why the model does not label pixels or images; empty if it does.
        reduces_labels: Whether label files are lowered by one before training: 0 is no class, and
            1 is the first.
        ignore_label: The label that was ignored in training.
    """

    source: str
    fields: Mapping[str, Any]
    ignored: tuple[str, ...] = ()
    task: str = ""
    reduces_labels: bool = False
    ignore_label: int | None = None


@final
@dataclass(frozen=True)
class SourceReader:
    """Reader of the keys of one source; a value of the wrong type is refused.

    Attributes:
        source: Its name, for messages.
        values: Values by key.
    """

    source: str
    values: Mapping[str, Any]

    def type_error(self, key: str, expected: str) -> ContractError:
        """Return the error for a key with a value of the wrong type."""
        value = repr(self.values[key])
        shown = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
        return ContractError(
            f"{self.source} says that {key} is {shown} but {expected} was expected; correct it, "
            "or move the model to a folder without it."
        )

    def has(self, key: str) -> bool:
        """Return whether `key` has a value other than null."""
        return self.values.get(key) is not None

    def flag(self, key: str, default: bool = False) -> bool:
        """Return the boolean under `key`; null is false, as in the programs that write it."""
        value = self.values.get(key, default)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.type_error(key, "true or false")
        return value

    def number(self, key: str, default: float) -> float:
        """Return the number under `key`, or `default`."""
        if not self.has(key):
            return default
        value = self.values[key]
        if not is_number(value):
            raise self.type_error(key, "a number")
        return float(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return the numbers under `key`; a single number gives one element."""
        value = self.values[key]
        many = value if isinstance(value, list) else [value]
        if not many or not all(map(is_number, many)):
            raise self.type_error(key, "a list of numbers")
        return tuple(float(v) for v in many)

    def class_names(self, key: str) -> tuple[str, ...]:
        """Return the names of the classes 0, 1, ..., from a mapping by index or from a list."""
        value = self.values[key]
        if isinstance(value, list):
            value = dict(enumerate(value))
        if not isinstance(value, dict) or not all(isinstance(n, str) for n in value.values()):
            raise self.type_error(key, "a name for each class")
        by_index = {str(index): name for index, name in value.items()}
        try:
            found = [by_index[str(index)] for index in range(len(value))]
        except KeyError:
            raise self.type_error(key, "a name for each of the classes 0, 1, ...") from None
        return tuple(_printable(name) for name in found)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[:_LONGEST_NAME])


def read_json(path: Path, source: str) -> SourceReader | None:
    """Return a reader of the JSON object in `path`, or None if there is no such file.

    Args:
        path: The file.
        source: Its name in messages.

    Raises:
        ContractError: The file is not regular, too large, unreadable or not valid.
    """
    try:
        content = json.loads(read_regular_file(path, limit=MOST))
        if isinstance(content, dict):
            return SourceReader(source, content)
        why = "it does not hold a JSON object"
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnsuitableFileError as error:
        why = str(error)
    except OSError as error:
        why = f"it cannot be read ({error.strerror})"
    except (ValueError, RecursionError) as error:
        line = (str(error).splitlines() or [""])[0][:80]
        why = f"it is not valid JSON ({line})"
    raise ContractError(
        f"{path} is unusable: {why}; correct it, or move the model to a folder without it."
    ) from None
