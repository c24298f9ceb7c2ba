"""Options that several commands share; a command gets each group as one keyword argument."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

Command = Callable[..., int]


def with_options(
    options: Mapping[str, tuple[Any, Any]], keyword: str, build: Callable[[dict[str, Any]], Any]
) -> Callable[[Command], Command]:
    """Return a decorator that adds `options` to a command, which gets `build(values)` as `keyword`.

    Args:
        options: name -> (type, `typer.Option`).
        keyword: Keyword-only argument of the command.
        build: Function from the values of the options, by name, to the value of `keyword`.
    """

    def decorate(command: Command) -> Command:
        own = signature(command, eval_str=True)
        parameters = [p for name, p in own.parameters.items() if name != keyword]
        parameters += [
            Parameter(name, Parameter.KEYWORD_ONLY, default=option, annotation=kind)
            for name, (kind, option) in options.items()
        ]

        @functools.wraps(command)
        def wrapped(**values: Any) -> int:
            built = build({name: values.pop(name) for name in options})
            return command(**values, **{keyword: built})

        # Typer reads a command's options from its signature.
        wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": int}
        return wrapped

    return decorate
