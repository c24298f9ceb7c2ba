"""The command `onnxcert plan`."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from math import prod
from pathlib import Path
from typing import Annotated, Final

import typer

from onnxcert._typing import Perturbation
from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.base import N0, AsJson, Selection
from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.noise import NoiseOptions
from onnxcert.cli.options.rule import RuleOptions
from onnxcert.cli.options.runtime import RunningOptions, load_model
from onnxcert.cli.trial_input import make_trial_input
from onnxcert.errors import ParameterError, StoreError
from onnxcert.model.bundled import find_model
from onnxcert.planning import Plan, PlanRequest, VoteRates
from onnxcert.planning.plan import MOST_COMPONENTS
from onnxcert.planning.speed import measure_speed
from onnxcert.report.objects.plan import plan_object
from onnxcert.report.tables.plan import format_plan
from onnxcert.results import open_results
from onnxcert.sampling.tally import LARGEST_N
from onnxcert.statistics.guarantee import describe_noise

_DEFAULT_MAXIMUM: Final = 1000  # draws, with --looks


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
            f"expected a number of components such as 43200, 2e6 or 1024x2048, got {text!r}."
        )
    return int(value)


def parse_draw_counts(text: str) -> tuple[int, ...]:
    """Parse numbers of draws separated by commas, such as 100,300,1000."""
    parts = [part.strip() for part in text.split(",")]
    if not all(
        part.isdecimal() and len(part) < 9 and 1 <= int(part) <= LARGEST_N for part in parts
    ):
        raise typer.BadParameter(
            f"expected numbers of draws from 1 to {LARGEST_N}, separated by commas, got {text!r}."
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
            help="Numbers of noise samples to plan for (with --looks: one number, the maximum).",
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
        float | None, typer.Option(help="Noise samples per second, instead of a measurement.")
    ] = None,
    inputs: Annotated[int, typer.Option(help="Number of inputs to certify.")] = 1,
    pilot: Annotated[
        Path | None,
        typer.Option(
            metavar="RESULTS",
            help="Results of other inputs than those to certify; used to predict the certified "
            "share.",
        ),
    ] = None,
    as_json: AsJson = False,
    *,
    rule_options: RuleOptions,
    noise: NoiseOptions,
    running: RunningOptions,
    contract_options: ContractOptions,
) -> int:
    """Compute how many noise samples and votes a certificate needs, and its cost, before a run.

    Fix the number of samples, tau and the correction before you see the votes. A pilot must use
    other inputs than those to certify.
    """
    given = contract_options.collect()
    rates, pilot_components, perturbation = _read_pilot(pilot)
    if perturbation is None:
        perturbation = noise.build_without_model()
    elif noise.are_given and noise.build_without_model() != perturbation:
        raise ParameterError(
            f"the pilot {pilot} was drawn with {describe_noise(perturbation)} and cannot predict "
            "the result for other noise; leave --sigma, --perturbation, --on, --axis and --radius "
            "out."
        )
    speed = None
    shape: tuple[int, ...] | None = None
    if model is not None:
        if draws_per_second is not None:
            raise ParameterError(
                "--draws-per-second and --model exclude each other; give only one of them."
            )
        segmenter = running.open_model(load_model(find_model(model)), given)
        x = segmenter.to_array(make_trial_input(picture, segmenter))
        shape = x.shape
        # The noise that certify would use; the time does not depend on sigma.
        drawn = noise.build(segmenter, 0.25)
        if pilot is not None and perturbation is not None:
            drawn = perturbation
        speed = measure_speed(segmenter, x, drawn, batch_size=running.batch_size)
        known = perturbation is not None or noise.get_sigma(segmenter.contract) is not None
        perturbation = drawn if known else None
        draws_per_second = speed.draws_per_second
        if components not in (None, speed.components):
            raise ParameterError(
                f"the model predicts {speed.components} components for this input, got "
                f"--components {components}; leave --components out."
            )
        components = speed.components
    elif given or picture is not None:
        raise ParameterError("model options and --picture need --model; give the model.")
    if components is None:
        components = pilot_components
    if components is None:
        raise ParameterError(
            "the number of components per input is unknown; give --components, e.g. --components "
            "1024x2048, or --model and --picture."
        )
    request = PlanRequest(
        components=components,
        rule=rule_options.build(_max_draws(rule_options, n), inputs=inputs),
        selection=selection,  # type: ignore[arg-type]
        n0=n0,
        draws=n or (),
        # Without a model, assume three values per component.
        law_error=0.0 if perturbation is None else perturbation.law_error(shape or (3, components)),
    )
    plan = Plan(
        request=request,
        perturbation=perturbation,
        pilot=rates,
        draws_per_second=draws_per_second,
        inputs=inputs,
    )
    if as_json:
        batch_size = None if speed is None else speed.batch_size
        print_object("plan", plan_object(plan, batch_size=batch_size))
    else:
        print("\n".join(format_plan(plan, speed)))
    if speed is not None and speed.warning:
        print(f"onnxcert: {speed.warning}", file=sys.stderr)
    return 0


def _max_draws(rule_options: RuleOptions, n: tuple[int, ...] | None) -> int:
    """Return the maximum number of draws: the last of --n, else the last look, else the default."""
    looks = rule_options.looks
    if looks is not None and n is not None and len(n) > 1:
        raise ParameterError(
            f"with --looks, --n must be one number, the maximum of draws, got {len(n)} numbers."
        )
    if n is not None:
        return n[-1]
    return looks[-1] if isinstance(looks, tuple) else _DEFAULT_MAXIMUM


def _read_pilot(path: Path | None) -> tuple[list[VoteRates], int | None, Perturbation | None]:
    """Return the vote rates of a run's inputs, the largest number of components, and the noise."""
    if path is None:
        return [], None, None
    rates, most = [], 0
    perturbation = None
    for record in open_results(path).records():
        tally = record.tally.to_memory()
        rates.append(VoteRates.of(tally.histogram))
        most = max(most, tally.components)
        perturbation = tally.perturbation
    if not rates:
        raise StoreError(
            f"there are no results in {path}; give a results folder of onnxcert certify, or a "
            "packed file of onnxcert pack."
        )
    return rates, most, perturbation
