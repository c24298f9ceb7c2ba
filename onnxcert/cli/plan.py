"""`onnxcert plan`."""

from __future__ import annotations

import json
import sys
from decimal import Decimal, InvalidOperation
from math import prod
from pathlib import Path
from typing import Any, Final

import typer

from onnxcert._typing import Perturbation
from onnxcert.cli.contract_options import with_contract_options
from onnxcert.cli.loading import loaded
from onnxcert.cli.noise_options import Noise, with_noise_options
from onnxcert.cli.rule_options import AskedRule, with_rule_options
from onnxcert.cli.running_options import Running, with_running_options
from onnxcert.cli.trial_input import trial_input
from onnxcert.errors import ParameterError, StoreError
from onnxcert.model.bundled import find_model
from onnxcert.planning import Plan, Question, VoteRates, measured
from onnxcert.planning.page import page
from onnxcert.planning.plan import MOST_COMPONENTS
from onnxcert.result import LARGEST_N
from onnxcert.store import open_results

_USUAL_MAXIMUM: Final = 1000


def whole_product(text: str) -> int:
    """A number of components: 43200, 2e6 or 1024x2048."""
    try:
        factors = [Decimal(part) for part in text.lower().split("x")]
        value = prod(factors, start=Decimal(1))
        whole = value.is_finite() and 1 <= value <= MOST_COMPONENTS and value == int(value)
    except (InvalidOperation, ValueError, OverflowError, ArithmeticError):
        whole = False
    if not whole:
        raise typer.BadParameter(
            f"a number of components such as 43200, 2e6 or 1024x2048 was expected, got {text!r}."
        )
    return int(value)


def draw_counts(text: str) -> tuple[int, ...]:
    """Numbers of draws separated by commas, such as 100,300,1000."""
    parts = [part.strip() for part in text.split(",")]
    if not all(
        part.isdecimal() and len(part) < 9 and 1 <= int(part) <= LARGEST_N for part in parts
    ):
        raise typer.BadParameter(
            f"numbers of draws from 1 to {LARGEST_N}, separated by commas, were expected, got "
            f"{text!r}."
        )
    return tuple(map(int, parts))


@with_rule_options
@with_noise_options
@with_running_options
@with_contract_options
def command(
    components: Any | None = typer.Option(
        None,
        "--components",
        parser=whole_product,
        metavar="N",
        help="Components of an input: 43200, 2e6 or 1024x2048; with --model or --pilot, theirs.",
    ),
    selection: str = typer.Option(
        "pooled",
        "--selection",
        help="pooled: the first n0 of the n draws choose the candidate; split: n0 extra draws do.",
    ),
    n: Any | None = typer.Option(
        None,
        "--n",
        parser=draw_counts,
        metavar="N[,N...]",
        help="Numbers of draws to plan for; with --looks the most there may be.",
    ),
    n0: int = typer.Option(10, "--n0", help="Draws that choose the candidate class."),
    model: str | None = typer.Option(
        None, "--model", metavar="MODEL", help="Time a few noisy passes of this model."
    ),
    picture: str | None = typer.Option(
        None,
        "--picture",
        metavar="FILE|HxW|N",
        help="Picture or point cloud to time it on, or the size of one: height and width, or the "
        "number of points.",
    ),
    draws_per_second: float | None = typer.Option(
        None, "--draws-per-second", help="Noisy passes a second, in place of a measurement."
    ),
    inputs: int = typer.Option(1, "--inputs", help="How many inputs are to be certified."),
    pilot: Path | None = typer.Option(
        None,
        "--pilot",
        metavar="RESULTS",
        help="Results of other inputs than those to be certified, to predict the share certified.",
    ),
    as_json: bool = typer.Option(
        False, "--json", help="Print one JSON object to standard output and nothing else there."
    ),
    *,
    asked: AskedRule,
    noise: Noise,
    running: Running,
    given: dict[str, Any],
) -> int:
    """Say before anything is drawn how many draws and votes a certificate takes, and its cost.

    Numbers of draws, tau and the correction are then to be fixed before the votes are seen: a
    pilot must be of other inputs than those to be certified.
    """
    rates, pilot_components, perturbation = _read_pilot(pilot)
    if perturbation is None:
        perturbation = noise.without_model()
    elif noise.said and noise.without_model() != perturbation:
        raise ParameterError(
            f"the pilot {pilot} was drawn with {perturbation.described()}, which says nothing "
            "about any other noise; leave --sigma, --perturbation, --on, --axis and --radius out."
        )
    speed = None
    shape: tuple[int, ...] | None = None
    if model is not None:
        if draws_per_second is not None:
            raise ParameterError("--draws-per-second takes the place of --model; give one of them.")
        segmenter = running.opened(loaded(find_model(model)), given)
        x = segmenter.declared(trial_input(picture, segmenter))
        shape = x.shape
        # As certify would draw it on this model; noise of any size takes the same time.
        drawn = noise.of(segmenter, 0.25)
        if pilot is not None and perturbation is not None:
            drawn = perturbation
        speed = measured(segmenter, x, drawn, batch_size=running.batch_size)
        known = perturbation is not None or noise.sigma(segmenter.contract) is not None
        perturbation = drawn if known else None
        draws_per_second = speed.draws_per_second
        if components not in (None, speed.components):
            raise ParameterError(
                f"the model answers for {speed.components} components of such a picture, got "
                f"--components {components}; leave it out."
            )
        components = speed.components
    elif given or picture is not None:
        raise ParameterError("options of a model and --picture go with --model; name the model.")
    if components is None:
        components = pilot_components
    if components is None:
        raise ParameterError(
            "how many components an input has is needed; give --components, e.g. --components "
            "1024x2048, or --model and --picture."
        )
    question = Question(
        components=components,
        rule=asked.rule(_most(asked, n), inputs=inputs),
        selection=selection,  # type: ignore[arg-type]
        n0=n0,
        draws=n or (),
        # Without a model, as of three values a component.
        law_error=0.0 if perturbation is None else perturbation.law_error(shape or (3, components)),
    )
    plan = Plan(
        question=question,
        perturbation=perturbation,
        pilot=rates,
        draws_per_second=draws_per_second,
        inputs=inputs,
    )
    if as_json:
        found = plan.as_dict()
        if speed is not None:
            found["batch_size"] = speed.batch_size
        print(json.dumps(found, allow_nan=False))
    else:
        print("\n".join(page(plan, speed)))
    if speed is not None and speed.warning:
        print(f"onnxcert: {speed.warning}", file=sys.stderr)
    return 0


def _most(asked: AskedRule, n: tuple[int, ...] | None) -> int:
    """The last look, where there are looks."""
    at = asked.values["looks"]
    if at is not None and n is not None and len(n) > 1:
        raise ParameterError("--n is one number with --looks: the most draws there may be.")
    if n is not None:
        return n[-1]
    return at[-1] if isinstance(at, tuple) else _USUAL_MAXIMUM


def _read_pilot(path: Path | None) -> tuple[list[VoteRates], int | None, Perturbation | None]:
    """Vote rates of a run's inputs, the most components of one, and the noise."""
    if path is None:
        return [], None, None
    rates, most = [], 0
    perturbation = None
    for record in open_results(path).records():
        tally = record.tally()
        rates.append(VoteRates.of(tally.histogram))
        most = max(most, tally.components)
        perturbation = tally.perturbation
    if not rates:
        raise StoreError(
            f"there are no results in {path}; name a folder that onnxcert certify wrote, or a file "
            "that onnxcert pack wrote."
        )
    return rates, most, perturbation
