"""Table of a run as text."""

from __future__ import annotations

import numpy as np

from onnxcert.metrics.scores import Curve
from onnxcert.report.tables.abstention import describe_inputs, describe_run
from onnxcert.report.tables.rows import PLAIN_ROWS, ROWS, Row, pick_scores
from onnxcert.report.tables.summary import Summary
from onnxcert.report.tables.text import format_columns, format_number
from onnxcert.statistics.guarantee import format_radius


def table(summary: Summary, *, per_class: bool = False) -> str:
    """Return the table of the paper, followed by the guarantee, as plain text."""
    cells = [["", *headings(summary)]]
    for name, row in summary.rows.items():
        cells.append([row_name(name, summary), *row_cells(summary, row)])
    lines = [coverage(summary), "", *format_columns(cells)]
    certified = summary.rows["certified"].scores
    if certified is not None and certified.accuracy_certified is not None:
        share = format_number(certified.accuracy_certified)
        at = f" (tau {summary.rule.tau})" if len(summary.taus) > 1 else ""
        lines += [
            "",
            f"Of the certified {summary.component}s that have a label{at}, {share} have the right "
            "class.",
        ]
    if summary.curve is not None and summary.rule.radius_map:
        lines += ["", *_radius_table(summary, summary.curve)]
    if summary.rule.schedule is not None:
        lines += ["", _draws_line(summary)]
    if per_class and certified is not None:
        lines += ["", *_per_class_table(summary)]
    if per_class and summary.categories:
        lines += ["", *_category_table(summary)]
    if why := describe_run(summary.abstentions, summary.inputs):
        lines += ["", why]
    if per_class and len(summary.abstentions) > 1:
        each = describe_inputs(summary.abstentions)
        lines += ["", *each] if each else []
    lines += [
        "",
        summary.sentence,
        "",
        summary.statement,
        *(f"note: {note}" for note in summary.notes),
    ]
    return "\n".join(lines)


def headings(summary: Summary) -> list[str]:
    """Return the headings of the columns that `row_cells` fills."""
    accuracy = "accuracy" if summary.component == "input" else f"{summary.component} accuracy"
    if not summary.cloud:
        return ["certified radius", accuracy, "mIoU", "abstained"]
    iou = ["instance\nIoU", "class\nIoU"] if summary.has_part_scores else ["mIoU"]
    # Two lines each: there are more columns, and a radius in two units of angle is wide.
    return [
        *("certified\nradius", accuracy.replace(" ", "\n"), "class\naccuracy"),
        *(*iou, "abstained"),
    ]


def row_cells(summary: Summary, row: Row) -> list[str]:
    """Return the cells of one row, one for each of `headings`."""
    found = pick_scores(row.scores, "accuracy", *(["class_accuracy"] if summary.cloud else []))
    if summary.cloud and summary.has_part_scores:
        found |= pick_scores(row.parts, "instance_iou", "category_iou")
    else:
        found |= pick_scores(row.scores, "miou")
    radius = "-" if row.radius is None else format_radius(summary.perturbation, row.radius)
    return [radius, *map(format_number, found.values()), format_number(row.abstain)]


def row_name(row: str, summary: Summary) -> str:
    """Return the name of a row in the table."""
    if not row.startswith("certified"):
        return ROWS[row]
    kind = "post hoc" if summary.rule.hindsight else ROWS["certified"]
    if len(summary.taus) == 1:
        return kind
    tau = row.removeprefix("certified").removeprefix(" tau=") or repr(summary.rule.tau)
    return f"{kind} (tau {tau})"


def _radius_table(summary: Summary, curve: Curve) -> list[str]:
    """Return a table of certified share and accuracy at up to eight radii of the radius map."""
    cells = [["radius at least", "certified", *(["accuracy"] if curve.labelled else [])]]
    count = int(np.count_nonzero(curve.certified))  # nothing is certified at larger radii
    for j in sorted({round(i * (count - 1) / 7) for i in range(8)}) if count else []:
        cells.append(
            [
                format_radius(summary.perturbation, float(curve.radii[j])),
                format_number(curve.certified[j] / curve.components),
                *([format_number(curve.correct[j] / curve.labelled)] if curve.labelled else []),
            ]
        )
    return format_columns(cells)


def _draws_line(summary: Summary) -> str:
    """Return a sentence on the draws that early stopping saved."""
    saved = 1.0 - summary.draws / summary.max_draws
    sentence = (
        f"Draws per input: {summary.draws:.5g} of at most {summary.max_draws}, "
        f"{100 * saved:.0f} % saved"
    )
    reasons = {
        "until": "the requested share was certified",
        "futility": "little more could be expected",
        "time": "the time limit was reached",
        "interrupted": "it was interrupted",
    }
    stops = [f"{count} because {reasons[why]}" for why, count in sorted(summary.ended.items())]
    return f"{sentence}; stopped early: {', '.join(stops)}." if stops else f"{sentence}."


def coverage(summary: Summary) -> str:
    """Return a sentence on how many inputs are certified, skipped and unfinished."""
    unfinished = summary.listed - summary.inputs - len(summary.skipped)
    plural = "" if summary.inputs == 1 else "s"
    late = summary.rule.hindsight
    how = "decided post hoc, which is no certificate" if late else "certified"
    parts = [f"{summary.inputs} input{plural} {how}"]
    if summary.skipped:
        parts.append(f"{len(summary.skipped)} skipped")
    if unfinished:
        parts.append(f"{unfinished} not done yet: the run is not finished")
    return ", ".join(parts)


def _per_class_table(summary: Summary) -> list[str]:
    shown = {name: row.scores for name, row in summary.rows.items() if row.scores is not None}
    names = summary.class_names or tuple(str(c) for c in range(len(next(iter(shown.values())).iou)))
    cells = [["IoU", *(row_name(name, summary) for name in shown)]]
    for c, class_name in enumerate(names):
        cells.append([class_name, *(format_number(scores.iou[c]) for scores in shown.values())])
    return format_columns(cells)


def _category_table(summary: Summary) -> list[str]:
    """Return the table lines, one for each category of shapes.

    Columns: the number of shapes, the IoU in every row of the run's table, and for each certified
    row the point accuracy and the abstained share.
    """
    certified = _certified_headings(summary)
    scored = {name: row for name, row in summary.rows.items() if row.parts is not None}
    cells = [["category", "shapes"]]
    cells[0] += [f"{PLAIN_ROWS.get(name) or certified[name]}\nIoU" for name in scored]
    for head in certified.values():
        cells[0] += [f"{head}\naccuracy"] if scored else []
        cells[0] += ["\n".join([*head.split("\n")[1:], "abstained"])]
    for category, found in summary.categories.items():
        numbers = [pick_scores(row.of_category(category), "iou")["iou"] for row in scored.values()]
        for name, abstain in zip(certified, found.abstain, strict=True):
            accuracy = pick_scores(summary.rows[name].of_category(category), "accuracy")
            numbers += [*(accuracy.values() if scored else ()), abstain]
        cells.append([category, str(found.shapes), *map(format_number, numbers)])
    return format_columns(cells)


def _certified_headings(summary: Summary) -> dict[str, str]:
    """Return certified row -> column heading, in the order of tau."""
    word = "post hoc" if summary.rule.hindsight else "certified"
    rows = [name for name in summary.rows if name.startswith("certified")]
    if len(rows) == 1:
        return {rows[0]: word}
    return {row: f"{word}\ntau {tau!r}" for row, tau in zip(rows, summary.taus, strict=True)}
