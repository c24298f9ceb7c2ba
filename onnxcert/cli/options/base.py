"""Declaration of options: single ones that several commands share, and groups as dataclasses.

A group of options is a dataclass whose fields are made by `option`, and whose `title` heads its
section of --help.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import field, fields, is_dataclass
from inspect import Parameter, signature
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import typer
import typer.models

from onnxcert.cli.options.parsing import parse_number, parse_whole

# Sections of --help, in this order.
MOST_USED: Final = "Most used"
MODEL, INPUTS, NOISE = "Model", "Inputs", "Noise"
GUARANTEE, STOPPING = "Guarantee", "Early stopping"
RUNNING, OUTPUT = "Where it runs", "Output"
OPTIONS: Final = "Options"  # those of one command only
SECTIONS: Final = (
    *("Arguments", MOST_USED, OPTIONS, MODEL, INPUTS, NOISE, GUARANTEE, STOPPING, RUNNING, OUTPUT),
)

# Type of an option without a parser -> parser and metavar, so that errors have our words.
_NUMBERS: Final[dict[Any, tuple[Callable[[str], Any], str]]] = {
    int: (parse_whole, "N"),
    float: (parse_number, "NUMBER"),
}

ModelPath = Annotated[
    str,
    typer.Argument(help="ONNX file, folder with an ONNX file, or bundled model (street, parts)."),
]
ResultsPath = Annotated[
    Path,
    typer.Argument(help="Results folder of onnxcert certify, or packed file of onnxcert pack."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print only one JSON object to standard output.")
]
PerClass = Annotated[bool, typer.Option("--per-class", help="Print the IoU of each class.")]
N0 = Annotated[int, typer.Option(help="Number of draws that choose the candidate class.")]
Selection = Annotated[
    str,
    typer.Option(
        help="pooled: the first n0 of the n draws choose the candidate class; split: n0 extra "
        "draws choose it."
    ),
]
ClassNames = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File with the class names in order, one per line."),
]


def option(
    text: str,
    metavar: str | None = None,
    default: Any = None,
    *,
    flag: str | None = None,
    parse: Callable[[str], Any] | None = None,
    choices: Sequence[str] = (),
    section: str | None = None,
) -> Any:
    """Declare the option of one field of a group.

    Args:
        text: Help.
        metavar: Name of the value in --help.
        default: Default of the field.
        flag: Flag; None for the name of the field.
        parse: Parser of the value; None for the type of the field.
        choices: Names that shell completion offers.
        section: Section of --help; None for that of the group.
    """
    info = typer.Option(
        *([flag] if flag else []),
        help=text,
        metavar=metavar,
        parser=parse,
        rich_help_panel=section,
        autocompletion=_completer(choices) if choices else None,
    )
    return field(default=default, metadata={"option": info})


def _completer(choices: Sequence[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [name for name in choices if name.startswith(incomplete)]

    return complete


def expand_groups(command: Callable[..., int]) -> Callable[..., int]:
    """Return `command` with one option per field in place of each dataclass argument.

    Typer reads options from a signature and knows no dataclasses.
    """
    own = signature(command, eval_str=True)
    groups: dict[str, Any] = {
        name: p.annotation for name, p in own.parameters.items() if is_dataclass(p.annotation)
    }
    parameters = [
        p.replace(annotation=_annotate(p.annotation))
        for name, p in own.parameters.items()
        if name not in groups
    ]
    for group in groups.values():
        hints = get_type_hints(group)
        parameters += [
            Parameter(
                one.name,
                Parameter.KEYWORD_ONLY,
                default=one.default,
                annotation=_annotate(
                    Annotated[hints[one.name], one.metadata["option"]], group.title
                ),
            )
            for one in fields(group)
        ]

    @functools.wraps(command)
    def expanded(**values: Any) -> int:
        built = {
            name: group(**{one.name: values.pop(one.name) for one in fields(group)})
            for name, group in groups.items()
        }
        return command(**values, **built)

    expanded.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return expanded


def _annotate(annotation: Any, title: str | None = None) -> Any:
    """Return the annotation for Typer: with title and parser; a parser sets the type."""
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, info = get_args(annotation)
    info = copy(info)  # an option may be in several groups
    info.rich_help_panel = info.rich_help_panel or title
    plain = next((one for one in get_args(kind) if one is not NoneType), kind)
    if info.parser is None and plain in _NUMBERS:
        info.parser, metavar = _NUMBERS[plain]
        info.metavar = info.metavar or metavar
    elif not isinstance(info, typer.models.ArgumentInfo):
        info.metavar = info.metavar or {str: "NAME", Path: "PATH"}.get(plain)
    return Annotated[Any if info.parser else kind, info]
