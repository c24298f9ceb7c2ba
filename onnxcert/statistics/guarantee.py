"""The text of the guarantee."""

from __future__ import annotations

from decimal import ROUND_UP, Context, Decimal

from onnxcert._typing import Perturbation
from onnxcert.statistics.correction.base import Controls
from onnxcert.statistics.rule import Rule


def guarantee(
    *,
    rule: Rule,
    controls: Controls,
    perturbation: Perturbation,
    unit: str,
    n: int,
    n0: int,
    selection: str,
    components: int,
    smallest: int | None = None,
    kind: str,
    radius: float | None = None,
    law_error: float = 0.0,
    before: bool = False,
    leak_check: str = "",
) -> str:
    """Return the guarantee in one sentence, with every number it depends on.

    Args:
        rule: the decision rule.
        controls: the error rate that the correction controls.
        perturbation: the noise.
        unit: the unit of the input, as text.
        n: draws tested; under interim looks the maximum.
        n0: draws the candidate was chosen from.
        selection: `pooled` or `split`.
        components: N, or the largest N of several inputs.
        smallest: the smallest N of several inputs; None if there is only one N.
        kind: what a component is, as text.
        radius: replaces the radius that follows from tau.
        law_error: of one draw, see `onnxcert.sampling.tally.Tally`.
        before: use the wording of older records. It did not say that the share of no certificates
            is 0, gave a tau for IndivClass and PREDICT, and named the rotated channels twice.
        leak_check: how the run checked batch invariance; empty if not recorded.
    """
    smallest = components if smallest is None else smallest
    family = f"of all {rule.inputs} inputs" if rule.alpha_scope == "dataset" else "of an input"
    if rule.procedure == "predict":
        what = (
            "the class most likely under noise (the class that the smoothed model predicts) at the "
            "input itself is the certified class"
        )
    else:
        size = _describe_radius(rule, perturbation, radius)
        what = (
            f"for {perturbation.attack(size, unit)}, the class most "
            f"likely under noise (the majority class of the smoothed model) at the perturbed input "
            f"is the certified class"
        )
    if controls == "FDR":
        none = "" if before else " (0 where none is certified)"
        sentence = (
            f"The expected share, over the noise draws, of wrong ones among the certified "
            f"components {family}{none} is at most {rule.alpha!r}, where a component is right if "
            f"{what}."
        )
    else:
        scope = f"simultaneously for every certified component {family}"
        if controls == "k-FWER":
            tolerated = _describe_budget(rule, smallest, components)
            scope = f"for all but at most {tolerated} of the certified " + (
                f"components of each of {rule.inputs} inputs"
                if rule.alpha_scope == "dataset"
                else "components of an input"
            )
        sentence = (
            f"With probability at least 1 - {rule.alpha!r} over the noise draws, {scope}: {what}."
        )
    if rule.hindsight:
        sentence = (
            f"NOT A CERTIFICATE at this level, as {' and '.join(rule.hindsight)} "
            f"{'was' if len(rule.hindsight) == 1 else 'were'} chosen after the votes had been "
            f"counted; fixed beforehand it would have said: {sentence}"
        )
    describe = getattr(perturbation, "describe_legacy", None) if before else None
    noise = (describe or perturbation.describe)()
    numbers = [noise]
    # IndivClass holds for all tau and PREDICT for none, so the rule's tau has no effect.
    if before or rule.procedure not in ("indivclass", "predict"):
        numbers.append(f"tau {', '.join(map(repr, rule.taus))}")
    numbers += _describe_numbers(rule, n, n0, selection, smallest, components, kind)
    if law_error > 0.0:
        numbers.append(f"law error {_round_up(law_error)}")
    if leak_check:
        numbers.append(leak_check)
    return f"{sentence} [{', '.join(numbers)}]"


def _describe_radius(rule: Rule, perturbation: Perturbation, radius: float | None) -> str:
    if rule.radius_map:
        return (
            f"R_i, the radius that the radius map gives component i ({perturbation.formula()} for "
            f"its own tau, {rule.floor!r} or more)"
        )
    if radius is not None:
        return f"R = {perturbation.format_radius(radius)}"
    if rule.more_taus:
        each = ", ".join(
            f"{perturbation.format_radius(perturbation.radius(tau))} for tau {tau!r}"
            for tau in sorted(rule.taus)
        )
        return f"R = {perturbation.formula()} of the tau it is certified at ({each})"
    tau = rule.tau
    return (
        f"R = {perturbation.formula()} = {perturbation.formula(tau)} = "
        f"{perturbation.format_radius(perturbation.radius(tau))}"
    )


def _describe_budget(rule: Rule, smallest: int, components: int) -> str:
    """Describe b, and b / N, of the smallest and the largest input."""
    budgets = [rule.budget.of(count) for count in (smallest, components)]
    b = " to ".join(dict.fromkeys(map(str, budgets)))
    if budgets[0] != budgets[1]:
        return f"b = {b} (b/N at most {rule.budget.text.removesuffix('%')} %)"
    shares = dict.fromkeys(percent(budgets[0], count) for count in (components, smallest))
    return f"b = {b} (b/N = {' to '.join(shares)})"


def percent(b: int, components: int) -> str:
    """Format b / N as a percentage with three significant digits, rounded up.

    >>> percent(1, 40960), percent(995, 1000), percent(2, 192)
    ('0.00245 %', '99.5 %', '1.05 %')
    """
    share = Context(prec=3, rounding=ROUND_UP).divide(Decimal(100 * b), Decimal(components))
    return f"{share.normalize():f} %"


def _round_up(value: float) -> str:
    """Format a value with three significant digits, rounded up.

    >>> _round_up(1.2001e-7), _round_up(0.25)
    ('1.21e-07', '0.25')
    """
    rounded = float(Context(prec=3, rounding=ROUND_UP).create_decimal(Decimal(value)))
    return f"{rounded:.3g}"


def _describe_numbers(
    rule: Rule,
    n: int,
    n0: int,
    selection: str,
    smallest: int,
    components: int,
    kind: str,
) -> list[str]:
    many = f"{components}" if smallest == components else f"{smallest} to {components}"
    scope = (
        f"over the whole data set, {rule.alpha_per_input:.3g} for each of {rule.inputs} inputs"
        if rule.alpha_scope == "dataset"
        else "for each input by itself"
    )
    schedule = rule.schedule
    if schedule is None:
        draws = f"n {n} draws tested"
    else:
        looks = "auto" if schedule.looks is None else " ".join(map(str, schedule.looks))
        draws = f"n at most {schedule.n} draws tested, looks {looks}, spending {schedule.spending}"
    sentence = [
        f"alpha {rule.alpha!r} {scope}",
        draws,
        f"n0 {n0}",
        f"selection {selection}",
        f"N {many} {'component' if many == '1' else 'components'} ({kind})",
        f"correction {rule.correction}",
    ]
    if rule.procedure != "segcertify":
        sentence.append(f"procedure {rule.procedure}")
    return sentence
