"""Check that the parts of a rule are compatible."""

from __future__ import annotations

from onnxcert.correction import get_correction
from onnxcert.decision.spending import SPENDING
from onnxcert.errors import ParameterError
from onnxcert.result import Selection
from onnxcert.rule import Rule


def check_combination(rule: Rule, selection: Selection) -> None:
    """Raise ParameterError unless the parts of `rule` are compatible."""
    correction = get_correction(rule.correction)
    if rule.budget and correction.controls != "k-FWER":
        raise ParameterError(
            f"a budget of {rule.budget.text} wrong components goes with --correction kfwer or "
            f"kfwer-stepdown, got {rule.correction}."
        )
    if correction.controls == "FDR" and rule.alpha_scope == "dataset":
        raise ParameterError(
            f"{rule.correction} bounds an expected share, which inputs do not share; use "
            "--alpha-scope input."
        )
    if rule.radius_map and rule.correction != "bonferroni":
        raise ParameterError(
            f"a radius map goes with --correction bonferroni only, got {rule.correction}: the "
            "levels of the others depend on which tau is tested, so that their bounds do not hold "
            "for all tau at once."
        )
    if rule.schedule is not None:
        if rule.schedule.spending not in SPENDING:
            raise ParameterError(
                f"the spending must be one of {', '.join(SPENDING)}, got "
                f"{rule.schedule.spending!r}."
            )
        if correction.stepwise:
            raise ParameterError(
                f"looks go with --correction bonferroni or kfwer, got {rule.correction}: its "
                "levels depend on how many components are certified in the end, which is not "
                "known at a look."
            )
        if rule.radius_map:
            raise ParameterError(
                "looks go with the tau asked for and not with a radius map: boundaries are "
                "computed for each tau; leave --radius-map out, or give several tau."
            )
    if rule.procedure != "segcertify":
        _check_baseline(rule, selection)


def _check_baseline(rule: Rule, selection: Selection) -> None:
    name = rule.procedure
    asked = {
        "looks": rule.schedule is not None,
        "a radius map": rule.radius_map,
        "several tau": bool(rule.more_taus),
        "a budget": bool(rule.budget),
    }
    for what, said in asked.items():
        if said:
            raise ParameterError(f"{what} goes with --procedure segcertify, got {name}.")
    if name in ("indivclass", "jointclass") and selection != "split":
        raise ParameterError(
            f"{name} tests draws that did not choose the candidate; use --selection split."
        )
    if name == "predict" and selection != "pooled":
        raise ParameterError("predict counts all draws alike; use --selection pooled.")
    if rule.correction != "bonferroni":
        raise ParameterError(
            f"{name} tests each component at alpha / N; use --correction bonferroni, got "
            f"{rule.correction}."
        )
