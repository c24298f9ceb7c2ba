"""Parts that the objects of several commands share: the perturbation and the rule."""

from __future__ import annotations

from typing import Any

from onnxcert._typing import Perturbation
from onnxcert.perturbation import OnChannels
from onnxcert.statistics.rule import Rule


def perturbation_object(perturbation: Perturbation, unit: str | None) -> dict[str, Any]:
    """Return the noise: its kind and parameters, and the channels that it is on.

    Args:
        perturbation: the noise.
        unit: the unit of the input, as text; None if unknown.
    """
    of, on = perturbation, None
    if isinstance(perturbation, OnChannels):
        of = perturbation.of
        on = {"channels": perturbation.channels, "name": perturbation.called}
    return {"kind": of.name, **of.parameters(), "unit": of.unit or unit or None, "on": on}


def rule_object(rule: Rule, components: int) -> dict[str, Any]:
    """Return the decision rule; a part that does not apply is null.

    Args:
        rule: the decision rule.
        components: N, or the largest N of several inputs, to which a budget is applied.
    """
    budget = looks = None
    if rule.budget:
        b = rule.budget.of(components)
        budget = {"given": rule.budget.text, "components": b, "share": b / components}
    if (schedule := rule.schedule) is not None:
        at = "auto" if schedule.looks is None else list(schedule.looks)
        looks = {"at": at, "n": schedule.n, "spending": schedule.spending}
    return {
        "procedure": rule.procedure,
        "taus": list(rule.taus),
        "alpha": rule.alpha,
        "alpha_scope": rule.alpha_scope,
        "alpha_inputs": rule.inputs if rule.alpha_scope == "dataset" else None,
        "correction": rule.correction,
        "closed_testing": rule.closed_testing,
        "budget": budget,
        "radius_map": {"floor": rule.floor} if rule.radius_map else None,
        "looks": looks,
        "post_hoc": list(rule.hindsight),
    }
