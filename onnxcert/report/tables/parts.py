"""Part segmentation scores by category of shape, as a text table and as plain values."""

from __future__ import annotations

from typing import Any, Final

from onnxcert.metrics.part_iou import CategoryScores
from onnxcert.report.tables.summary import Row, Summary
from onnxcert.report.tables.text import format_columns, format_number

# Short names, because each row of the run's table becomes a column here.
_NAMES: Final = {"nonrobust": "non-robust", "clean": "clean", "noisy": "base"}


def category_table(summary: Summary) -> list[str]:
    """Return the table lines, one for each category.

    Columns: the number of shapes, the IoU in every row of the run's table, and for each certified
    row the point accuracy and the abstained share.
    """
    certified = _certified_headings(summary)
    scored = {name: row for name, row in summary.rows.items() if row.parts is not None}
    cells = [["category", "shapes"]]
    cells[0] += [f"{_NAMES.get(name) or certified[name]}\nIoU" for name in scored]
    for head in certified.values():
        cells[0] += [f"{head}\naccuracy"] if scored else []
        cells[0] += ["\n".join([*head.split("\n")[1:], "abstained"])]
    for category, found in summary.categories.items():
        line = [category, str(found.shapes)]
        for row in scored.values():
            scores = _category_scores(row, category)
            line.append(format_number(scores and scores.iou))
        for name, abstain in zip(certified, found.abstain, strict=True):
            scores = _category_scores(summary.rows[name], category)
            line += [format_number(scores and scores.accuracy)] if scored else []
            line.append(format_number(abstain))
        cells.append(line)
    return format_columns(cells)


def categories_object(summary: Summary) -> dict[str, dict[str, Any]]:
    """Return category -> its number of shapes and its scores, named as in `json_object`."""
    certified = _certified_headings(summary)
    return {
        category: {
            "shapes": found.shapes,
            **{name: _score_fields(summary.rows.get(name), category) for name in _NAMES},
            "certified": _certified_fields(summary.rows["certified"], category, found.abstain[0]),
            **(
                {
                    "taus": [
                        {"tau": tau, **_certified_fields(summary.rows[row], category, nothing)}
                        for tau, row, nothing in zip(
                            summary.taus, certified, found.abstain, strict=True
                        )
                    ]
                }
                if len(summary.taus) > 1
                else {}
            ),
        }
        for category, found in summary.categories.items()
    }


def _certified_headings(summary: Summary) -> dict[str, str]:
    """Return certified row -> column heading, in the order of tau."""
    late = summary.settings.get("hindsight")
    word = "post hoc" if late else "certified"
    rows = [name for name in summary.rows if name.startswith("certified")]
    if len(rows) == 1:
        return {rows[0]: word}
    return {row: f"{word}\ntau {tau!r}" for row, tau in zip(rows, summary.taus, strict=True)}


def _category_scores(row: Row | None, category: str) -> CategoryScores | None:
    return row.parts.categories.get(category) if row is not None and row.parts else None


def _score_fields(row: Row | None, category: str) -> dict[str, float | None] | None:
    found = _category_scores(row, category)
    return found and {"accuracy": found.accuracy, "iou": found.iou}


def _certified_fields(row: Row, category: str, abstain: float) -> dict[str, float | None]:
    found = _category_scores(row, category)
    return {
        "accuracy": found and found.accuracy,
        "iou": found and found.iou,
        "abstain": abstain,
    }
