"""Values of options that are more than one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import typer

from onnxcert.errors import ParameterError

Numbers = tuple[float, ...]
T = TypeVar("T")


def numbers(text: str) -> Numbers:
    """Numbers separated by commas, such as 0.41,0.42,0.43."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"numbers separated by commas were expected, got {text!r}."
        ) from None


def named(registry: Mapping[str, T], name: str, option: str) -> T:
    """The entry of `registry` called `name`.

    Raises:
        ParameterError: there is none.
    """
    try:
        return registry[name]
    except KeyError:
        raise ParameterError(
            f"{option} must be one of {', '.join(registry)}, got {name!r}."
        ) from None


RANGE = typer.Option(
    None,
    "--range",
    parser=numbers,
    metavar="LOW,HIGH",
    help="What black and white are to the model before mean and std: 0,1 or 0,255.",
)
MEAN = typer.Option(
    None,
    "--mean",
    parser=numbers,
    metavar="R,G,B",
    help="Subtracted from the pixels, in the unit of --range.",
)
STD = typer.Option(
    None,
    "--std",
    parser=numbers,
    metavar="R,G,B",
    help="What the pixels are divided by after --mean.",
)
INPUT = typer.Option(None, "--input", metavar="NAME", help="Graph input that takes the picture.")
OUTPUT = typer.Option(None, "--output", metavar="NAME", help="Graph output with the class scores.")


def contract_fields(
    value_range: Numbers | None,
    mean: Numbers | None,
    std: Numbers | None,
    input_name: str | None,
    output_name: str | None,
) -> dict[str, Any]:
    """The contract's fields that were given, by name."""
    if value_range is not None and len(value_range) != 2:
        raise ParameterError(
            f"--range must be two numbers such as 0,1 or 0,255, got {len(value_range)}."
        )
    given = {
        "value_range": value_range,
        "mean": mean,
        "std": std,
        "input": input_name,
        "output": output_name,
    }
    return {name: value for name, value in given.items() if value is not None}
