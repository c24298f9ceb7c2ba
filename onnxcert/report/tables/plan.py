"""A plan as text: votes needed at each number of draws, savings, and the expected result."""

from __future__ import annotations

from collections.abc import Sequence

from onnxcert.planning.plan import Plan
from onnxcert.planning.scheme import Scheme
from onnxcert.planning.speed import Speed
from onnxcert.report.tables.text import format_columns
from onnxcert.statistics.guarantee import format_radius


def format_plan(plan: Plan, speed: Speed | None) -> list[str]:
    """Return the lines of a plan; `speed` if it was measured."""
    requested = plan.request
    rule = requested.rule
    b = rule.budget.of(requested.components)
    lines = [
        f"{requested.components} components, alpha {rule.alpha:g}, {rule.correction}, "
        f"{requested.selection} selection, n0 {requested.n0}"
        + (
            f", {b} wrong components tolerated (b/N {100 * b / requested.components:.2g} %)"
            if b
            else ""
        )
    ]
    if speed is not None:
        lines.append(
            f"measured {speed.draws_per_second:.4g} noisy passes a second, {speed.batch_size} in "
            "a batch"
        )
    for place, tau in enumerate(plan.taus):
        lines += ["", *_format_tau(plan, place, tau)]
    return lines


def _format_tau(plan: Plan, place: int, tau: float) -> list[str]:
    requested = plan.schemes[0]
    radius = plan.radius(tau)
    heading = f"tau {tau:g}"
    if radius is not None:
        assert plan.perturbation is not None
        heading += f", radius {format_radius(plan.perturbation, radius)}"
    least = requested.smallest_n(place)
    if requested.rule.schedule is not None:
        least_said = "no look certifies anything" if least is None else f"first at look {least}"
    else:
        least_said = "no practicable n" if least is None else f"smallest useful n {least}"
    lines = [
        f"{heading}: {least_said}",
        "",
        *format_columns(_build_votes_table(plan, place), left=0),
    ]
    if requested.stepwise:
        lines.append(
            "votes: whatever the other components get; 90 % certified: where nine in ten of the "
            "others get every vote."
        )
    savings = plan.savings(place)
    if savings:
        lines += ["", *savings]
    if plan.pilot:
        lines += ["", *_format_prediction(plan, place)]
    return lines


def _build_votes_table(plan: Plan, place: int) -> list[list[str]]:
    requested, *others = plan.schemes
    head = ["n", "votes", "share"]
    if requested.stepwise:
        head.append("90 % certified")
    head += [scheme.name for scheme in others]
    timed = plan.draws_per_second is not None
    if timed:
        head += ["per input"] + ([f"{plan.inputs} inputs"] if plan.inputs > 1 else [])
    rows = [head]
    for i, n in enumerate(requested.draws):
        votes = requested.votes[place][i]
        row = [str(n), _format_count(votes, n), f"{votes / n:.3f}" if votes <= n else "-"]
        if requested.stepwise:
            row.append(_format_count(requested.votes_beside_most[place][i], n))
        row += [_format_count(scheme.votes[place][i], n) for scheme in others]
        seconds = plan.seconds(n)
        if seconds is not None:
            row.append(_format_duration(seconds))
            if plan.inputs > 1:
                row.append(_format_duration(seconds * plan.inputs))
        rows.append(row)
    return rows


def _format_prediction(plan: Plan, place: int) -> list[str]:
    """Return the lines with the certified share that the pilot predicts for each scheme."""
    found = {scheme.name: plan.predict(scheme, place) or () for scheme in plan.schemes}
    rows = [["n", *found]]
    for i, n in enumerate(plan.schemes[0].draws):
        rows.append([str(n), *(f"{shares[i]:.3f}" for shares in found.values())])
    inputs = len(plan.pilot)
    lines = [
        f"share certified, predicted from {inputs} input{'s' if inputs > 1 else ''} of the pilot:",
        "",
        *format_columns(rows, left=0),
    ]
    early = next((s for s in plan.schemes if s.rule.schedule is not None), None)
    if early is not None:
        lines += _format_early_stop(early, found[early.name])
    lines.append(
        "Inputs differ more than draws do. Do not certify the inputs of the pilot themselves."
    )
    return lines


def _format_early_stop(scheme: Scheme, shares: Sequence[float]) -> list[str]:
    """Return a line that says at which look 90 % of the final share is certified."""
    last = shares[-1]
    if not last > 0.0:
        return []
    near = next(i for i, share in enumerate(shares) if share >= 0.9 * last)
    most = scheme.draws[-1]
    return [
        f"{scheme.name}: {scheme.draws[near]} of {most} draws certify {shares[near] / last:.0%} of "
        "what all draws certify."
    ]


def _format_count(votes: int, n: int) -> str:
    return str(votes) if votes <= n else "-"


def _format_duration(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours with three digits."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
