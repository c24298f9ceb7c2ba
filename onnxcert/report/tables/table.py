"""Table of a run as text and as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from onnxcert.metrics.part_iou import CategoryScores
from onnxcert.metrics.scores import Curve
from onnxcert.report.tables.summary import ROWS, Row, Summary
from onnxcert.report.tables.text import format_columns, format_number
from onnxcert.statistics.guarantee import format_radius

# Rows without noise or certificate -> short names: each row becomes a column of the category table.
_PLAIN: Final = {"nonrobust": "non-robust", "clean": "clean", "noisy": "base"}


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
        lines += ["", *_category_table(summary)]
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
    iou = ["instance\nIoU", "class\nIoU"] if _has_part_scores(summary) else ["mIoU"]
    # Two lines each: there are more columns, and a radius in two units of angle is wide.
    return [
        *("certified\nradius", accuracy.replace(" ", "\n"), "class\naccuracy"),
        *(*iou, "abstained"),
    ]


def row_cells(summary: Summary, row: Row) -> list[str]:
    """Return the cells of one row, one for each of `headings`."""
    found = _pick(row.scores, "accuracy", *(["class_accuracy"] if summary.cloud else []))
    if summary.cloud and _has_part_scores(summary):
        found |= _pick(row.parts, "instance_iou", "category_iou")
    else:
        found |= _pick(row.scores, "miou")
    radius = "-" if row.radius is None else format_radius(summary.perturbation, row.radius)
    return [radius, *map(format_number, found.values()), format_number(row.abstain)]


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
        **{name: _score_fields(summary, rows.get(name)) for name in _PLAIN},
        "certified": certified
        and {
            **_pick(certified.scores, "accuracy", "miou"),
            "abstain": certified.abstain,
            **_pick(certified.scores, "accuracy_certified"),
            **_part_scores(summary, certified),
        },
        **({"categories": _categories_object(summary)} if summary and summary.categories else {}),
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
                **_pick(row.scores, "accuracy", "miou"),
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


def _pick(scores: object | None, *names: str) -> dict[str, float | None]:
    """Return the named scores; None for each without a ground truth (`scores` is None)."""
    return {name: getattr(scores, name, None) for name in names}


def _score_fields(summary: Summary | None, row: Row | None) -> dict[str, float | None] | None:
    if row is None or row.scores is None:
        return None
    return {**_pick(row.scores, "accuracy", "miou"), **_part_scores(summary, row)}


def _part_scores(summary: Summary | None, row: Row) -> dict[str, float | None]:
    """Return the additional scores of point clouds; nothing for images."""
    if summary is None or not summary.cloud:
        return {}
    parts = ("instance_iou", "category_iou") if _has_part_scores(summary) else ()
    return {**_pick(row.scores, "class_accuracy"), **_pick(row.parts, *parts)}


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
    cells[0] += [f"{_PLAIN.get(name) or certified[name]}\nIoU" for name in scored]
    for head in certified.values():
        cells[0] += [f"{head}\naccuracy"] if scored else []
        cells[0] += ["\n".join([*head.split("\n")[1:], "abstained"])]
    for category, found in summary.categories.items():
        numbers = [_category_scores(row, category, "iou")["iou"] for row in scored.values()]
        for name, abstain in zip(certified, found.abstain, strict=True):
            accuracy = _category_scores(summary.rows[name], category, "accuracy")
            numbers += [*(accuracy.values() if scored else ()), abstain]
        cells.append([category, str(found.shapes), *map(format_number, numbers)])
    return format_columns(cells)


def _categories_object(summary: Summary) -> dict[str, dict[str, Any]]:
    """Return category -> its number of shapes and its scores, named as in `json_object`."""
    names = ("accuracy", "iou")
    found: dict[str, dict[str, Any]] = {}
    for category, shapes in summary.categories.items():
        certified = [
            {**_category_scores(summary.rows[row], category, *names), "abstain": abstain}
            for row, abstain in zip(_certified_headings(summary), shapes.abstain, strict=True)
        ]
        found[category] = {
            "shapes": shapes.shapes,
            **{
                name: _category_scores(row, category, *names)
                if (row := summary.rows.get(name)) and _in_category(row, category)
                else None
                for name in _PLAIN
            },
            "certified": certified[0],
        }
        if len(summary.taus) > 1:
            taus = zip(summary.taus, certified, strict=True)
            found[category]["taus"] = [{"tau": tau, **fields} for tau, fields in taus]
    return found


def _certified_headings(summary: Summary) -> dict[str, str]:
    """Return certified row -> column heading, in the order of tau."""
    word = "post hoc" if summary.settings.get("hindsight") else "certified"
    rows = [name for name in summary.rows if name.startswith("certified")]
    if len(rows) == 1:
        return {rows[0]: word}
    return {row: f"{word}\ntau {tau!r}" for row, tau in zip(rows, summary.taus, strict=True)}


def _category_scores(row: Row, category: str, *names: str) -> dict[str, float | None]:
    return _pick(_in_category(row, category), *names)


def _in_category(row: Row, category: str) -> CategoryScores | None:
    return row.parts.categories.get(category) if row.parts else None
