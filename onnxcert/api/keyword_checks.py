"""Checks of the keywords that a public function gets, and of the messages that name them."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable
from numbers import Integral, Real
from os import PathLike
from typing import Any, Final, ParamSpec, TypeVar

from onnxcert.api.presets import get_preset
from onnxcert.errors import COMMAND_LINE, OnnxcertError, ParameterError

P = ParamSpec("P")
R = TypeVar("R")


def check_keywords(
    *kinds: Any, presets: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that refuses unknown keywords by name, with the nearest known one.

    Args:
        kinds: classes of this module whose keywords the function takes beside its own parameters.
        presets: whether the function has a keyword `preset`, which sets others.

    Raises:
        ParameterError: by the decorated function, if a keyword is unknown.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        own = inspect.signature(function).parameters.values()
        known = {p.name for p in own if p.kind not in (p.VAR_KEYWORD, p.POSITIONAL_ONLY)}
        known |= {name for kind in kinds for name in kind.__annotations__}

        kinds_of_values = {p.name: str(p.annotation) for p in own}
        for kind in kinds:
            kinds_of_values |= {name: _source(a) for name, a in kind.__annotations__.items()}

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name, value in kwargs.items():
                if name not in known:
                    raise unknown_keyword(function.__name__, name, known)
                _check_value(name, value, kinds_of_values[name])
            try:
                if presets and kwargs.get("preset") is not None:
                    kwargs = {**get_preset(str(kwargs["preset"])), **kwargs}  # type: ignore[assignment]
                return function(*args, **kwargs)
            except OnnxcertError as error:
                if error.args and not COMMAND_LINE.get():
                    error.args = (name_keywords(str(error.args[0])), *error.args[1:])
                raise

        return checked

    return decorate


def _source(annotation: Any) -> str:
    """Return an annotation of a typed dictionary as it was written."""
    return str(getattr(annotation, "__forward_arg__", annotation))


def _check_value(name: str, value: object, annotation: str) -> None:
    """Raise ParameterError if a keyword takes a number, text or truth value, and gets another."""
    parts = [part.strip() for part in annotation.split("|")]
    literals = [part for part in parts if part.startswith("Literal[")]
    if not set(parts) - set(literals) <= set(_VALUES) or (value is None and "None" in parts):
        return
    if isinstance(value, str) and any(f"'{value}'" in part.replace('"', "'") for part in literals):
        return
    if any(_VALUES[part][0](value) for part in parts if part not in literals):
        return
    wanted = [_VALUES[part][1] for part in parts if part not in literals and part != "None"]
    wanted += [part.removeprefix("Literal[").removesuffix("]") for part in literals]
    raise ParameterError(f"{name} must be {' or '.join(wanted)}, got {value!r}.")


# What simple annotations accept, and its name in a message.
_VALUES: Final[dict[str, tuple[Callable[[object], bool], str]]] = {
    "int": (lambda v: isinstance(v, Integral) and not isinstance(v, bool), "a whole number"),
    "float": (lambda v: isinstance(v, Real) and not isinstance(v, bool), "a number"),
    "bool": (lambda v: isinstance(v, bool), "True or False"),
    "str": (lambda v: isinstance(v, str), "text"),
    "Name": (lambda v: isinstance(v, str | PathLike), "a path"),
    "None": (lambda _: False, ""),
}
# Keywords that have another name than their option.
_RENAMED: Final = {"feed": "feeds", "restrict_parts": "restricted", "all_parts": "restricted"}
_OPTION: Final = re.compile(
    r"(?<![\w-])--([a-z](?:[a-z0-9-]*[a-z0-9])?)(?: (-?[\d.]+(?:,-?[\d.]+)*)(?![\w%]))?"
)


def name_keywords(message: str) -> str:
    """Return a message that names options, with keywords in their place.

    >>> name_keywords("pass --range 0,1 or --mean and --std; --n must be at least 70")
    'pass range=(0, 1) or mean and std; n must be at least 70'
    >>> name_keywords("choose --ignore-label 11 or --batch-size.")
    'choose ignore_label=11 or batch_size.'
    """

    def replace(found: re.Match[str]) -> str:
        name = found[1].replace("-", "_")
        name = _RENAMED.get(name, name)
        value = found[2]
        if value is None:
            return name
        dot = "." if value.endswith(".") else ""
        numbers = value.removesuffix(".").split(",")
        listed = numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"
        return f"{name}={listed}{dot}"

    return _OPTION.sub(replace, message)


def unknown_keyword(function: str, name: str, known: set[str]) -> ParameterError:
    """Return the error for a keyword that `function` does not have."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(sorted(known))}."
    return ParameterError(f"{function} has no keyword {name}; {hint}")
