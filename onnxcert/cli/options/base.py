"""Options that several commands share: single ones, and groups that are dataclasses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from copy import copy
from dataclasses import fields, is_dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

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
N0 = Annotated[int, typer.Option(help="Number of noise samples that select the candidate class.")]
Selection = Annotated[
    str,
    typer.Option(
        help="pooled: the first n0 of the n noise samples select the candidate class; split: n0 "
        "extra samples select it."
    ),
]
ClassNames = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File with the class names in order, one per line."),
]


def expand_groups(command: Callable[..., int]) -> Callable[..., int]:
    """Return `command` with one option per field in place of each dataclass argument.

    Typer reads options from a signature and knows no dataclasses. A group of options is a dataclass
    whose fields are annotated with `typer.Option`, and whose `title` heads its part of --help.
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
        hints = get_type_hints(group, include_extras=True)
        parameters += [
            Parameter(
                field.name,
                Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=_annotate(hints[field.name], group.title),
            )
            for field in fields(group)
        ]

    @functools.wraps(command)
    def expanded(**values: Any) -> int:
        built = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        return command(**values, **built)

    expanded.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return expanded


def _annotate(annotation: Any, title: str | None = None) -> Any:
    """Return the annotation for Typer: with the title, and type Any if a parser sets the type."""
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, option = get_args(annotation)
    option = copy(option)  # an option may be in several groups
    option.rich_help_panel = title
    return Annotated[Any if option.parser else kind, option]
