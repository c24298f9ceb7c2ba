"""Sentences about command lines that cannot be understood: what is wrong, and what is nearest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnxcert.errors import suggest


def describe_usage_error(error: Any) -> str:
    """Return the sentence for an error of Typer about the command line.

    Args:
        error: The exception, with the context of the command.
    """
    context: Any = getattr(error, "ctx", None)
    command = "onnxcert" if context is None else context.command_path
    lists = f"{command} --help lists"
    message = " ".join(error.format_message().split())
    if hasattr(error, "possibilities"):  # no such option
        end = suggest(error.option_name, _flags(context))
        more = f"; {lists} the options." if end == "." else end
        return f"{command} has no option {error.option_name}{more}"
    if hasattr(error, "param_type"):  # a missing argument or option
        return f"{command} needs {_name(error.param)}; {lists} what it takes."
    parameter = getattr(error, "param", None)
    if parameter is not None:
        text = error.message
        # Errors of our parsers begin with "must"; other checks of Typer have sentences.
        joint = " " if text.startswith("must ") else ": "
        return f"{_source(context, parameter)}{_name(parameter)}{joint}{text}"
    if hasattr(error, "option_name"):  # an option without its value
        return f"{error.option_name} needs a value after it."
    if message.startswith("Got unexpected extra argument"):
        extra = message.partition(" (")[2].removesuffix(")")
        return f"{command} takes no argument {extra}; leave it out, or quote a name with spaces."
    if message.startswith("No such command"):
        name = message.split("'")[1]
        end = suggest(name, context.command.summaries)
        more = f"; {lists} the commands." if end == "." else end
        return f"onnxcert has no command {name}{more}"
    return message


def _name(parameter: Any) -> str:
    """Return the flag of an option, or the name of an argument as --help shows it."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return str(max(parameter.opts, key=len, default=parameter.name))


def _source(context: Any, parameter: Any) -> str:
    """Return the file that gave the value, with a colon; empty if the command line gave it."""
    source = context and context.get_parameter_source(parameter.name)
    origins = (context.meta if context else {}).get("origins", {})
    found = origins.get(parameter.name, "") if source and source.name == "DEFAULT_MAP" else ""
    return f"{found}: " if found else ""


def _flags(context: Any) -> Iterator[str]:
    for parameter in context.command.get_params(context) if context else ():
        if parameter.param_type_name == "option":
            yield from (*parameter.opts, *parameter.secondary_opts)
