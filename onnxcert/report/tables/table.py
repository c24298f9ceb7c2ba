"""Table of a run as text and as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxcert.metrics.scores import Curve
from onnxcert.report.tables.parts import categories_object, category_table
from onnxcert.report.tables.summary import ROWS, Row, Summary
from onnxcert.report.tables.text import format_columns, format_number


def table(summary: Summary, *, per_class: bool = False) -> str:
    """Return the table of the paper, followed by the guarantee, as plain text."""
    cells = [["", *headings(summary)]]
    for name, row in summary.rows.items():
        cells.append([row_name(name, summary), *row_cells(summary, row)])
    lines = [coverage(summary), "", *format_columns(cells)]
    certified = summary.rows["certified"].scores
    if certified is not None and certified.accuracy_certified is not None:
        share = format_number(certified.accuracy_certified)
        at = f" (tau {summary.settings['tau']})" if len(summary.taus) > 1 else ""
        lines += [
            "",
            f"Of the certified {summary.component}s that have a label{at}, {share} have the right "
            "class.",
        ]
    if summary.curve is not None and summary.settings.get("radius_map"):
        lines += ["", *_radius_table(summary, summary.curve)]
    if "looks" in summary.settings:
        lines += ["", _draws_line(summary)]
    if per_class and certified is not None:
        lines += ["", *_per_class_table(summary)]
    if per_class and summary.categories:
        lines += ["", *category_table(summary)]
    lines += ["", summary.statement, *(f"note: {note}" for note in summary.notes)]
    return "\n".join(lines)


def headings(summary: Summary) -> list[str]:
    """Return the headings of the columns that `row_cells` fills."""
    accuracy = "accuracy" if summary.component == "input" else f"{summary.component} accuracy"
    if not summary.cloud:
        return ["certified radius", accuracy, "mIoU", "abstained"]
    iou = ["instance\nIoU", "class\nIoU"] if _has_part_scores(summary) else ["mIoU"]
    # Two lines each: there are more columns, and a radius in two units of angle is wide.
    return [
        *("certified\nradius", accuracy.replace(" ", "\n"), "class\naccuracy"),
        *(*iou, "abstained"),
    ]


def row_cells(summary: Summary, row: Row) -> list[str]:
    """Return the cells of one row, one for each of `headings`."""
    scores, parts = row.scores, row.parts
    found = [None if scores is None else scores.accuracy]
    if summary.cloud:
        found.append(None if scores is None else scores.class_accuracy)
    if summary.cloud and _has_part_scores(summary):
        found += [parts and parts.instance_iou, parts and parts.category_iou]
    else:
        found.append(None if scores is None else scores.miou)
    radius = "-" if row.radius is None else summary.perturbation.format_radius(row.radius)
    return [radius, *map(format_number, found), format_number(row.abstain)]


def _has_part_scores(summary: Summary) -> bool:
    """Return whether any shape has an IoU over the parts of its category."""
    return any(row.parts is not None for row in summary.rows.values())


def row_name(row: str, summary: Summary) -> str:
    """Return the name of a row in the table."""
    if not row.startswith("certified"):
        return ROWS[row]
    kind = "post hoc" if summary.settings.get("hindsight") else ROWS["certified"]
    if len(summary.taus) == 1:
        return kind
    tau = row.removeprefix("certified").removeprefix(" tau=") or repr(summary.settings["tau"])
    return f"{kind} (tau {tau})"


def _radius_table(summary: Summary, curve: Curve) -> list[str]:
    """Return a table of certified share and accuracy at up to eight radii of the radius map."""
    cells = [["radius at least", "certified", *(["accuracy"] if curve.labelled else [])]]
    count = int(np.count_nonzero(curve.certified))  # nothing is certified at larger radii
    for j in sorted({round(i * (count - 1) / 7) for i in range(8)}) if count else []:
        cells.append(
            [
                summary.perturbation.format_radius(float(curve.radii[j])),
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
    late = summary.settings.get("hindsight")
    how = "decided post hoc, which is no certificate" if late else "certified"
    parts = [f"{summary.inputs} input{plural} {how}"]
    if summary.skipped:
        parts.append(f"{len(summary.skipped)} skipped")
    if unfinished:
        parts.append(f"{unfinished} not done yet: the run is not finished")
    return ", ".join(parts)


def json_object(
    summary: Summary | None,
    *,
    model: str,
    settings: Mapping[str, Any],
    skipped: Sequence[str],
    warnings: Sequence[str],
    seconds: Mapping[str, float] | None,
    out: str,
) -> dict[str, Any]:
    """Return the run as one object of plain values; a row that does not apply is null."""
    rows = summary.rows if summary else {}
    certified = rows.get("certified")
    return {
        "model": model,
        "inputs": summary.inputs if summary else 0,
        "components": summary.components if summary else 0,
        "radius": summary.radius if summary else None,
        "unit": summary.unit if summary else None,
        **settings,
        "draws": summary.draws if summary else 0,
        **(_optional_fields(summary) if summary else {}),
        "seed": summary.seed if summary else None,
        **{
            name: _score_fields(summary, rows.get(name)) for name in ("nonrobust", "clean", "noisy")
        },
        "certified": certified
        and {
            "accuracy": certified.scores and certified.scores.accuracy,
            "miou": certified.scores and certified.scores.miou,
            "abstain": certified.abstain,
            "accuracy_certified": certified.scores and certified.scores.accuracy_certified,
            **_part_scores(summary, certified),
        },
        **({"categories": categories_object(summary)} if summary and summary.categories else {}),
        "skipped": list(skipped),
        "nonfinite": summary.nonfinite if summary else 0,
        "warnings": list(warnings),
        "statement": summary.statement if summary else None,
        "seconds": seconds and {name: round(value, 4) for name, value in seconds.items()},
        "out": out,
    }


def _optional_fields(summary: Summary) -> dict[str, Any]:
    """Return the fields that only some runs have: a budget, looks, several taus, a curve."""
    found: dict[str, Any] = {}
    if summary.budget:
        found["budget_components"] = summary.budget
        found["budget_share"] = summary.budget / summary.components
    if "looks" in summary.settings:
        found["draws_saved"] = 1.0 - summary.draws / summary.max_draws
        found["stopped"] = summary.ended
    if len(summary.taus) > 1:
        rows = [row for name, row in summary.rows.items() if name.startswith("certified")]
        found["taus"] = [
            {
                "tau": tau,
                "radius": radius,
                "accuracy": row.scores and row.scores.accuracy,
                "miou": row.scores and row.scores.miou,
                "abstain": row.abstain,
                **_part_scores(summary, row),
            }
            for (tau, radius), row in zip(summary.taus.items(), rows, strict=True)
        ]
    if summary.settings.get("radius_map") and summary.curve is not None:
        curve = summary.curve
        found["curve"] = {
            "radius": curve.radii.tolist(),
            "certified": (curve.certified / curve.components).tolist(),
            "accuracy": (curve.correct / curve.labelled).tolist() if curve.labelled else None,
        }
    return found


def _score_fields(summary: Summary | None, row: Row | None) -> dict[str, float | None] | None:
    if row is None or row.scores is None:
        return None
    return {
        "accuracy": row.scores.accuracy,
        "miou": row.scores.miou,
        **_part_scores(summary, row),
    }


def _part_scores(summary: Summary | None, row: Row) -> dict[str, float | None]:
    """Return the additional scores of point clouds; nothing for images."""
    if summary is None or not summary.cloud:
        return {}
    found = {"class_accuracy": None if row.scores is None else row.scores.class_accuracy}
    if _has_part_scores(summary):
        found["instance_iou"] = row.parts and row.parts.instance_iou
        found["category_iou"] = row.parts and row.parts.category_iou
    return found


def _per_class_table(summary: Summary) -> list[str]:
    shown = {name: row.scores for name, row in summary.rows.items() if row.scores is not None}
    names = summary.class_names or tuple(str(c) for c in range(len(next(iter(shown.values())).iou)))
    cells = [["IoU", *(row_name(name, summary) for name in shown)]]
    for c, class_name in enumerate(names):
        cells.append([class_name, *(format_number(scores.iou[c]) for scores in shown.values())])
    return format_columns(cells)
