"""The plan of a run before any draw: votes needed, radius, and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from os import fspath
from typing import Any, Final, Unpack

from onnxcert._typing import Perturbation
from onnxcert.api.keyword_checks import check_keywords
from onnxcert.api.keywords import (
    ModelKeywords,
    Name,
    NoiseKeywords,
    PlanKeywords,
    RuleKeywords,
    select_keywords,
)
from onnxcert.api.models import collect_contract, load
from onnxcert.api.noise import get_sigma, make_noise, make_noise_without_model
from onnxcert.api.report import as_results
from onnxcert.api.rules import make_rule
from onnxcert.api.trial_input import make_trial_input
from onnxcert.errors import ParameterError, StoreError
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.planning import Plan, PlanRequest, VoteRates
from onnxcert.planning.speed import Speed, measure_speed
from onnxcert.report.objects.plan import plan_object
from onnxcert.report.tables.plan import format_plan
from onnxcert.results import Results
from onnxcert.sampling.tally import Selection
from onnxcert.statistics.guarantee import describe_noise

_DEFAULT_MAXIMUM: Final = 1000  # draws, with looks


@dataclass(frozen=True)
class PlannedRun:
    """A plan; as text the tables of the command line.

    Attributes:
        plan: votes, radii and cost at several numbers of draws.
        speed: the measured speed; None if none was measured.
    """

    plan: Plan
    speed: Speed | None = None

    @property
    def smallest_n(self) -> int | None:
        """Fewest draws that can certify anything at the first tau; None if no number does."""
        return self.plan.schemes[0].smallest_n(0)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        batch_size = None if self.speed is None else self.speed.batch_size
        return plan_object(self.plan, batch_size=batch_size)

    def __str__(self) -> str:
        return "\n".join(format_plan(self.plan, self.speed))

    def __repr__(self) -> str:
        return str(self)


@check_keywords(PlanKeywords)
def plan(
    components: int | tuple[int, ...] | None = None,
    *,
    n: int | Sequence[int] | None = None,
    n0: int = 10,
    selection: Selection = "pooled",
    model: Name | OnnxSegmenter | None = None,
    picture: Any = None,
    draws_per_second: float | None = None,
    inputs: int = 1,
    pilot: Name | Results | None = None,
    batch_size: int | None = None,
    **keywords: Unpack[PlanKeywords],
) -> PlannedRun:
    """Compute how many draws and votes a certificate needs, and its cost; as `onnxcert plan`.

    Fix the number of draws, tau and the correction before you see the votes. A pilot must use other
    inputs than those to certify.

    Args:
        components: components per input, a number or the shape of the labels such as (1024, 2048);
            None for those of the model or the pilot.
        n: number of draws to plan for, or several; with `looks` one, the maximum.
        n0: draws that select the candidate class.
        selection: ``pooled`` or ``split``.
        model: model whose speed is measured in a few passes.
        picture: input for the measurement: a file, (height, width) of an image, or a number of
            points.
        draws_per_second: speed, instead of a measurement.
        inputs: number of inputs to certify.
        pilot: results of an earlier run, of other inputs or another seed, to predict the certified
            share.
        batch_size: draws per pass of the measurement; None for automatic.
        keywords: rule, noise and model as on the command line; see
            `onnxcert.api.keywords.PlanKeywords`.

    Raises:
        ParameterError: the number of components is unknown, or keywords contradict each other.
        StoreError: the pilot has no results.
    """
    size = _count(components)
    draws = None if n is None else tuple(n) if isinstance(n, Sequence) else (n,)
    noise: NoiseKeywords = select_keywords(keywords, NoiseKeywords)  # type: ignore[assignment]
    rates, pilot_components, perturbation = _read_pilot(pilot)
    if perturbation is None:
        perturbation = make_noise_without_model(**noise)
    else:
        _check_pilot_noise(pilot, perturbation, noise)
    speed = None
    shape: tuple[int, ...] | None = None
    if model is not None:
        if draws_per_second is not None:
            raise ParameterError(
                "--draws-per-second and --model exclude each other; give only one of them."
            )
        segmenter = _open(model, select_keywords(keywords, ModelKeywords))
        x = segmenter.to_array(make_trial_input(_as_text(picture), segmenter))
        shape = x.shape
        # The noise that certify would use; the time does not depend on sigma.
        drawn = make_noise(segmenter.contract, segmenter.file.path, default=0.25, **noise)
        if pilot is not None and perturbation is not None:
            drawn = perturbation
        speed = measure_speed(segmenter, x, drawn, batch_size=batch_size)
        known = perturbation is not None or get_sigma(segmenter.contract, **noise) is not None
        perturbation = drawn if known else None
        draws_per_second = speed.draws_per_second
        if size not in (None, speed.components):
            raise ParameterError(
                f"the model predicts {speed.components} components for this input, got "
                f"--components {size}; leave --components out."
            )
        size = speed.components
    elif picture is not None or collect_contract(select_keywords(keywords, ModelKeywords)):
        raise ParameterError("model options and --picture need --model; give the model.")
    if size is None:
        size = pilot_components
    if size is None:
        raise ParameterError(
            "the number of components per input is unknown; give --components, e.g. --components "
            "1024x2048, or --model and --picture."
        )
    request = PlanRequest(
        components=size,
        rule=make_rule(
            _find_maximum(keywords.get("looks"), draws),
            inputs=inputs,
            **select_keywords(keywords, RuleKeywords),
        ),
        selection=selection,
        n0=n0,
        draws=draws or (),
        # Without a model, assume three values per component.
        law_error=0.0 if perturbation is None else perturbation.law_error(shape or (3, size)),
    )
    made = Plan(
        request=request,
        perturbation=perturbation,
        pilot=rates,
        draws_per_second=draws_per_second,
        inputs=inputs,
    )
    return PlannedRun(made, speed)


def _count(components: int | Sequence[int] | None) -> int | None:
    """Return the number of components that a number or a shape gives."""
    return prod(components) if isinstance(components, Sequence) else components


def _open(model: Name | OnnxSegmenter, keywords: Any) -> OnnxSegmenter:
    return model if isinstance(model, OnnxSegmenter) else load(model, **keywords)


def _as_text(picture: Any) -> str | None:
    """Return the input for the measurement as the command line names it."""
    if picture is None:
        return None
    return "x".join(map(str, picture)) if isinstance(picture, tuple) else str(picture)


def _check_pilot_noise(pilot: Any, perturbation: Perturbation, noise: NoiseKeywords) -> None:
    """Raise ParameterError if keywords set other noise than that of the pilot."""
    usual = {"perturbation": "gaussian"}
    given = any(value not in (None, usual.get(name)) for name, value in noise.items())
    if given and make_noise_without_model(**noise) != perturbation:
        raise ParameterError(
            f"the pilot {pilot} was drawn with {describe_noise(perturbation)} and cannot predict "
            "the result for other noise; leave --sigma, --perturbation, --on, --axis and --radius "
            "out."
        )


def _find_maximum(looks: Any, draws: tuple[int, ...] | None) -> int:
    """Return the maximum number of draws: the last given one, else the last look, else 1000."""
    if looks is not None and draws is not None and len(draws) > 1:
        raise ParameterError(
            f"with --looks, --n must be one number, the maximum of draws, got {len(draws)} numbers."
        )
    if draws is not None:
        return draws[-1]
    return _DEFAULT_MAXIMUM if looks in (None, "auto") else int(looks[-1])


def _read_pilot(
    pilot: Name | Results | None,
) -> tuple[list[VoteRates], int | None, Perturbation | None]:
    """Return the vote rates of a run's inputs, the largest number of components, and the noise."""
    if pilot is None:
        return [], None, None
    rates, most = [], 0
    perturbation = None
    for record in as_results(pilot).records():
        tally = record.tally.to_memory()
        rates.append(VoteRates.of(tally.histogram))
        most = max(most, tally.components)
        perturbation = tally.perturbation
    if not rates:
        named = pilot.path if isinstance(pilot, Results) else fspath(pilot)
        raise StoreError(
            f"there are no results in {named}; give a results folder of onnxcert certify, or a "
            "packed file of onnxcert pack."
        )
    return rates, most, perturbation
