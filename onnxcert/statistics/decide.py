"""The decision procedures: from a tally to a certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from onnxcert.errors import ParameterError, suggest
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics.baselines import indivclass, jointclass, predict
from onnxcert.statistics.boundaries import SPENDING
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.correction import get_correction
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.segcertify import segcertify

PROCEDURES: Final[dict[str, Callable[[Tally, Rule], Certificate]]] = {
    procedure.__name__: procedure for procedure in (segcertify, indivclass, jointclass, predict)
}


def decide(tally: Tally, rule: Rule | None = None) -> Certificate:
    """Compute the certificate of a tally: a pure function of the tally and the rule.

    With probability at least 1 - alpha no certified class is wrong (FWER), or no more than the
    budget (k-FWER); see `Certificate.statement`. The whole rule must be fixed before the draws are
    seen.

    Raises:
        ParameterError: parts of the rule are not compatible with each other or with this tally.
    """
    rule = Rule() if rule is None else rule
    check_combination(rule, tally.selection)
    if tally.ended and rule.schedule is None and not rule.hindsight:
        raise ParameterError(
            f"this count ended early at a look ({tally.ended}), so one test of {tally.n} draws is "
            "not valid; decide it under the looks it was counted with."
        )
    return PROCEDURES[rule.procedure](tally, rule)


def check_combination(rule: Rule, selection: Selection) -> None:
    """Raise ParameterError unless the parts of `rule` are compatible."""
    if rule.procedure not in PROCEDURES:
        raise ParameterError(
            f"the procedure must be one of {', '.join(PROCEDURES)}, got {rule.procedure!r}"
            f"{suggest(rule.procedure, PROCEDURES)}"
        )
    correction = get_correction(rule.correction)
    if rule.budget and correction.controls != "k-FWER":
        raise ParameterError(
            f"a budget of {rule.budget.text} wrong components needs --correction kfwer or "
            f"kfwer-stepdown, got {rule.correction}."
        )
    if correction.controls == "FDR" and rule.alpha_scope == "dataset":
        raise ParameterError(
            f"{rule.correction} bounds an expected share, which cannot be split between inputs; "
            "use --alpha-scope input."
        )
    if rule.radius_map and rule.correction != "bonferroni":
        raise ParameterError(
            f"a radius map needs --correction bonferroni, got {rule.correction}: the levels of "
            "other corrections depend on the tested tau, so their bounds do not hold for all tau "
            "together."
        )
    if rule.schedule is not None:
        if rule.schedule.spending not in SPENDING:
            raise ParameterError(
                f"the spending must be one of {', '.join(SPENDING)}, got "
                f"{rule.schedule.spending!r}{suggest(rule.schedule.spending, SPENDING)}"
            )
        if correction.stepwise:
            raise ParameterError(
                f"looks need --correction bonferroni or kfwer, got {rule.correction}: its levels "
                "depend on the final number of certified components, which is not known at a look."
            )
        if rule.radius_map:
            raise ParameterError(
                "looks cannot be combined with a radius map, because boundaries are computed for "
                "each tau; omit --radius-map, or give several tau."
            )
    if rule.procedure != "segcertify":
        _check_baseline(rule, selection)


def _check_baseline(rule: Rule, selection: Selection) -> None:
    name = rule.procedure
    refused = {
        "looks need": rule.schedule is not None,
        "a radius map needs": rule.radius_map,
        "several tau need": bool(rule.more_taus),
        "a budget needs": bool(rule.budget),
    }
    for what, requested in refused.items():
        if requested:
            raise ParameterError(f"{what} --procedure segcertify, got {name}.")
    if name in ("indivclass", "jointclass") and selection != "split":
        raise ParameterError(
            f"{name} must test other draws than those that chose the candidate; use --selection "
            "split."
        )
    if name == "predict" and selection != "pooled":
        raise ParameterError(
            "predict tests the draws that chose the class; use --selection pooled."
        )
    if rule.correction != "bonferroni":
        raise ParameterError(
            f"{name} tests each component at alpha / N; use --correction bonferroni, got "
            f"{rule.correction}."
        )
