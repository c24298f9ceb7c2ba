"""The rule that keywords define: defaults that fit together, as on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Unpack

from onnxcert.api.keywords import RuleKeywords
from onnxcert.errors import ParameterError
from onnxcert.statistics.rule import Budget, Rule, Schedule


def make_rule(
    n: int, *, inputs: int = 1, whole: bool = False, **keywords: Unpack[RuleKeywords]
) -> Rule:
    """Return the rule for at most n draws.

    Args:
        n: maximum number of draws.
        inputs: number of inputs that share alpha if `alpha_scope` is ``dataset``.
        whole: whether the model predicts one class per input (a classifier); the default is then
            the radius map, as in CERTIFY.
        keywords: see `onnxcert.api.keywords.RuleKeywords`.

    Raises:
        ParameterError: a value is out of range.
    """
    given = keywords.get("tau")
    taus = () if given is None else as_taus(given)
    looks, budget = keywords.get("looks"), keywords.get("budget")
    procedure, correction = keywords.get("procedure", "segcertify"), keywords.get("correction")
    floor, scope = keywords.get("floor", 0.5), keywords.get("alpha_scope", "input")
    radius_map = keywords.get("radius_map", False) or (
        whole
        and looks is None
        and procedure == "segcertify"
        and correction in (None, "bonferroni")
        and not budget
        and len(taus) < 2
    )
    taus = taus or ((floor if whole and radius_map else 0.75),)
    if correction is None:
        correction = _default_correction(keywords, radius_map)
    return Rule(
        tau=taus[0],
        more_taus=taus[1:],
        alpha=keywords.get("alpha", 0.001),
        alpha_scope=scope,
        inputs=inputs if scope == "dataset" else 1,
        correction=correction,
        budget=as_budget(budget) or Budget(),
        procedure=procedure,
        radius_map=radius_map,
        floor=floor,
        schedule=_make_schedule(n, looks, keywords.get("spending", "equal")),
    )


def as_budget(budget: str | int | Budget | None) -> Budget | None:
    """Return the budget that a number, a share as text, or a `Budget` gives; None for None."""
    return budget if isinstance(budget, Budget | None) else Budget(str(budget))


def as_taus(tau: float | Sequence[float]) -> tuple[float, ...]:
    """Return one or several tau as a tuple.

    Raises:
        ParameterError: it is no number and no sequence of numbers.
    """
    several: Any = tau if isinstance(tau, Sequence) else (tau,)
    if any(isinstance(one, bool) or not isinstance(one, Real) for one in several):
        raise ParameterError(f"tau must be a number or several such as (0.6, 0.75), got {tau!r}.")
    return tuple(map(float, several))


def _make_schedule(n: int, looks: Any, spending: str) -> Schedule | None:
    """Return the interim looks; the last one is at n."""
    if looks is None:
        return None
    if isinstance(looks, str) and looks != "auto":
        raise ParameterError(f"looks must be auto or numbers of draws, got {looks!r}.")
    at = None if looks == "auto" else tuple(sorted({*map(int, looks), n}))
    if at is not None and at[-1] > n:
        raise ParameterError(f"--looks ends at {at[-1]} draws, but --n is {n}; raise --n.")
    return Schedule(n, at, spending)


def _default_correction(keywords: Mapping[str, Any], radius_map: bool) -> str:
    """Return the most powerful correction that can be combined with the other keywords."""
    budget = keywords.get("budget")
    if keywords.get("looks") is not None:
        return "kfwer" if budget else "bonferroni"
    if radius_map or keywords.get("procedure", "segcertify") != "segcertify":
        return "bonferroni"
    return "kfwer-stepdown" if budget else "holm"
