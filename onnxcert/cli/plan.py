"""The command `onnxcert plan`."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from math import prod
from pathlib import Path
from typing import Annotated

import typer

from onnxcert.api.plans import plan as make_plan
from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.base import N0, AsJson, Selection
from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.noise import NoiseOptions
from onnxcert.cli.options.rule import RuleOptions
from onnxcert.cli.options.runtime import RunningOptions
from onnxcert.model.bundled import find_model
from onnxcert.planning.plan import MOST_COMPONENTS
from onnxcert.sampling.tally import LARGEST_N


def parse_product(text: str) -> int:
    """Parse a number of components such as 43200, 2e6 or 1024x2048."""
    try:
        factors = [Decimal(part) for part in text.lower().split("x")]
        value = prod(factors, start=Decimal(1))
        whole = value.is_finite() and 1 <= value <= MOST_COMPONENTS and value == int(value)
    except (InvalidOperation, ValueError, OverflowError, ArithmeticError):
        whole = False
    if not whole:
        raise typer.BadParameter(
            f"must be a number of components such as 43200, 2e6 or 1024x2048, got {text!r}."
        )
    return int(value)


def parse_draw_counts(text: str) -> tuple[int, ...]:
    """Parse numbers of draws separated by commas, such as 100,300,1000."""
    parts = [part.strip() for part in text.split(",")]
    if not all(
        part.isdecimal() and len(part) < 9 and 1 <= int(part) <= LARGEST_N for part in parts
    ):
        raise typer.BadParameter(
            f"must be numbers of draws from 1 to {LARGEST_N}, separated by commas, got {text!r}."
        )
    return tuple(map(int, parts))


def command(
    components: Annotated[
        int | None,
        typer.Option(
            parser=parse_product,
            metavar="N",
            help="Number of components (pixels, points) per input: 43200, 2e6 or 1024x2048. "
            "Default: that of --model or --pilot.",
        ),
    ] = None,
    selection: Selection = "pooled",
    n: Annotated[
        tuple[int, ...] | None,
        typer.Option(
            parser=parse_draw_counts,
            metavar="N[,N...]",
            help="Numbers of draws to plan for (with --looks: one number, the maximum).",
        ),
    ] = None,
    n0: N0 = 10,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Model whose speed is measured in a few passes."),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|HxW|N",
            help="Input for the measurement: image or point cloud file, height and width of an "
            "image, or number of points.",
        ),
    ] = None,
    draws_per_second: Annotated[
        float | None, typer.Option(help="Draws per second, instead of a measurement.")
    ] = None,
    inputs: Annotated[int, typer.Option(help="Number of inputs to certify.")] = 1,
    pilot: Annotated[
        Path | None,
        typer.Option(
            metavar="RESULTS",
            help="Results of an earlier run, of other inputs or another seed; used to predict the "
            "certified share.",
        ),
    ] = None,
    as_json: AsJson = False,
    *,
    rule_options: RuleOptions,
    noise: NoiseOptions,
    running: RunningOptions,
    contract_options: ContractOptions,
) -> int:
    """Compute how many draws and votes a certificate needs, and its cost, before a run.

    Fix the number of draws, tau and the correction before you see the votes. A pilot must have
    other inputs than the run, or another seed.
    """
    planned = make_plan(
        components,
        n=n,
        n0=n0,
        selection=selection,  # type: ignore[arg-type]
        model=None if model is None else find_model(model),
        picture=picture,
        draws_per_second=draws_per_second,
        inputs=inputs,
        pilot=pilot,
        **{**vars(rule_options), **vars(noise), **vars(running), **contract_options.collect()},
    )
    speed = planned.speed
    if as_json:
        print_object("plan", planned.as_dict())
    else:
        print(planned)
    if speed is not None and speed.warning:
        print(f"onnxcert: {speed.warning}", file=sys.stderr)
    return 0
