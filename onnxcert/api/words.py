"""Keywords of the public functions, by subject; they have the names of the command line.

A keyword is the name of the long option with underscores in place of hyphens. Functions have the
most used ones in their signature and take the others as ``**words: Unpack[...]``.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from typing import Any, Final, Literal, ParamSpec, TypedDict, TypeVar

from onnxcert._typing import Perturbation
from onnxcert.api.presets import get_preset
from onnxcert.errors import COMMAND_LINE, OnnxcertError, ParameterError
from onnxcert.statistics.rule import AlphaScope, Budget

P = ParamSpec("P")
R = TypeVar("R")

Name = str | PathLike[str]  # of a file


class RuleWords(TypedDict, total=False):
    """What turns votes into certificates; fixed before the first draw.

    `tau` is a number or several, `budget` a number of components or a share such as ``"0.1%"``,
    `looks` ``"auto"`` or numbers of draws. See `onnxcert.statistics.rule.Rule`.
    """

    tau: float | Sequence[float] | None
    alpha: float
    alpha_scope: AlphaScope
    correction: str | None
    budget: str | int | Budget | None
    procedure: str
    radius_map: bool
    floor: float
    looks: Sequence[int] | Literal["auto"] | None
    spending: str


class NoiseWords(TypedDict, total=False):
    """The noise, and with it the attack that is certified against.

    `perturbation` is a perturbation or its name; the default is Gaussian noise on the pixels or
    coordinates. `sigma` is the standard deviation in the unit of the perturbation. The default of
    Gaussian noise and rotations is that of the training noise.
    """

    perturbation: Perturbation | str | None
    sigma: float | None
    on: str | None
    axis: str | None
    radius: str | None


class StoppingWords(TypedDict, total=False):
    """Reasons to stop at an interim look; `time` in seconds for each input."""

    until: float | None
    futility: float | None
    time: float | None


class FieldWords(TypedDict, total=False):
    """Fields of the model's contract that its file does not give.

    See `onnxcert.model.contract.image.ImageContract` and `.points.PointContract`.
    """

    channel_order: str
    channels_are: str
    bands: Sequence[str]
    value_range: Sequence[float]
    mean: Sequence[float]
    std: Sequence[float]
    normalise: str
    input: str
    feeds: Any
    channels: str
    points: int
    frame: str
    categories: Any
    restricted: bool
    passes: int
    output: str
    output_layout: str
    output_form: str
    threshold: float
    trained_sigma: float


class AxisWords(TypedDict, total=False):
    """Contract fields by the names of the command line; `range` is `value_range`.

    In `onnxcert.certify` the same names belong to an image in memory, see there.
    """

    layout: str
    range: Sequence[float]
    classes: int


class ContractWords(FieldWords, AxisWords, total=False):
    """The model's contract."""


class RuntimeWords(TypedDict, total=False):
    """How the model runs: preprocessing that is part of it, device and threads."""

    scales: Sequence[float] | None
    flip: bool
    tile: tuple[int, int] | Literal["model"] | None
    overlap: int | tuple[int, int] | None
    scale: float
    size: tuple[int, int] | None
    resize: bool
    pad_to: int | None
    grid: str
    fill: bool
    fit: Any
    device: str
    threads: int


class ModelWords(ContractWords, RuntimeWords, total=False):
    """All that opens a model."""


class NameWords(TypedDict, total=False):
    """Names of the classes, or a file with one a line, if the model does not give them."""

    class_names: Sequence[str] | Name


class LoadWords(ModelWords, NameWords, total=False):
    """Keywords of `onnxcert.load`."""


class InputWords(TypedDict, total=False):
    """Which files are certified, and their labels."""

    labels: Name | None
    labels_pattern: str | None
    dataset: str | None
    ignore_label: int | Sequence[int] | None
    palette: Name | None
    label_map: str | None
    class_names: Sequence[str] | Name | None
    columns: str | None
    category: str | None
    limit: int | None
    every: int | None


class WorkerWords(TypedDict, total=False):
    """How a run is distributed over processes and machines."""

    shard: str | None
    workers: int | None
    ray: bool
    ray_address: str | None


class OneWords(RuleWords, StoppingWords, FieldWords, RuntimeWords, total=False):
    """Keywords of `onnxcert.certify` beside those in its signature."""


class PlanWords(RuleWords, NoiseWords, ModelWords, total=False):
    """Keywords of `onnxcert.plan` beside those in its signature."""


class RunWords(
    RuleWords, NoiseWords, StoppingWords, ModelWords, InputWords, WorkerWords, total=False
):
    """Keywords of `onnxcert.certify_many` beside those in its signature."""


def select_words(words: Mapping[str, Any], *kinds: Any) -> dict[str, Any]:
    """Return those of `words` that are keywords of one of `kinds`, classes of this module."""
    names = {name for kind in kinds for name in kind.__annotations__}
    return {name: value for name, value in words.items() if name in names}


def check_words(*kinds: Any, presets: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
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
                    raise unknown_word(function.__name__, name, known)
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


def unknown_word(function: str, name: str, known: set[str]) -> ParameterError:
    """Return the error for a keyword that `function` does not have."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(sorted(known))}."
    return ParameterError(f"{function} has no keyword {name}; {hint}")
