"""A run as one object: settings, guarantee, and the rows of its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxcert.metrics.scores import Curve
from onnxcert.report.objects.abstention import abstention_object
from onnxcert.report.objects.parts import perturbation_object, rule_object
from onnxcert.report.tables.rows import PLAIN_ROWS, Row, pick_scores
from onnxcert.report.tables.summary import Summary


def run_object(
    summary: Summary, *, out: str, seconds: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Return a run as JSON values; a row that does not apply is null.

    Args:
        summary: the summary of the run.
        out: folder or file of its results; empty if there is none.
        seconds: what the run spent its time on; None if it was not run now.
    """
    taus = _certified_objects(summary)
    curve = summary.curve if summary.rule.radius_map else None
    skipped = [{"name": name, "reason": reason} for name, reason in summary.skipped.items()]
    return {
        "model": {"file": summary.model, "sha256": summary.model_sha256},
        "inputs": {
            "finished": summary.inputs,
            "listed": summary.listed,
            "kind": summary.kind,
            "components": summary.components,
            "skipped": skipped,
        },
        "perturbation": perturbation_object(summary.perturbation, summary.unit),
        "rule": rule_object(summary.rule, summary.components),
        "draws": _draws_object(summary),
        "guarantee": {"sentence": summary.sentence, "statement": summary.statement},
        **{name: _row_object(summary, summary.rows.get(name)) for name in PLAIN_ROWS},
        "certified": taus[0],
        "taus": taus,
        "curve": None if curve is None else _curve_object(curve),
        "categories": _categories_object(summary) if summary.categories else None,
        "abstention": abstention_object(summary.abstentions) if summary.abstentions else None,
        "warnings": list(summary.notes),
        "seconds": seconds and {name: round(value, 4) for name, value in seconds.items()},
        "out": out,
    }


def _draws_object(summary: Summary) -> dict[str, Any]:
    return {
        "n": summary.n,
        "n0": summary.n0,
        "selection": summary.selection,
        "seed": summary.seed,
        "passes": summary.draws,
        "most_passes": summary.max_draws,
        "stopping": summary.stopping or None,
        "stopped": summary.ended,
        "not_finite": summary.nonfinite,
    }


def _row_object(summary: Summary, row: Row | None) -> dict[str, float | None] | None:
    if row is None or row.scores is None:
        return None
    return {**pick_scores(row.scores, "accuracy", "miou"), **_part_scores(summary, row)}


def _certified_objects(summary: Summary) -> list[dict[str, Any]]:
    """Return the certified row of each tau, the rule's first tau first."""
    rows = [row for name, row in summary.rows.items() if name.startswith("certified")]
    return [
        {
            "tau": tau,
            "radius": row.radius,
            "abstain": row.abstain,
            **pick_scores(row.scores, "accuracy", "miou", "accuracy_certified"),
            **_part_scores(summary, row),
        }
        for tau, row in zip(summary.rule.taus, rows, strict=True)
    ]


def _part_scores(summary: Summary, row: Row) -> dict[str, float | None]:
    """Return the additional scores of point clouds; nothing for images."""
    if not summary.cloud:
        return {}
    parts = ("instance_iou", "category_iou") if summary.has_part_scores else ()
    return {**pick_scores(row.scores, "class_accuracy"), **pick_scores(row.parts, *parts)}


def _curve_object(curve: Curve) -> dict[str, Any]:
    return {
        "radius": curve.radii.tolist(),
        "certified": (curve.certified / curve.components).tolist(),
        "accuracy": (curve.correct / curve.labelled).tolist() if curve.labelled else None,
    }


def _categories_object(summary: Summary) -> dict[str, dict[str, Any]]:
    """Return category -> its number of shapes and its scores in each row."""
    rows = {name: summary.rows.get(name) for name in PLAIN_ROWS}
    certified = [row for name, row in summary.rows.items() if name.startswith("certified")]
    found: dict[str, dict[str, Any]] = {}
    for category, shapes in summary.categories.items():
        taus = [
            {"tau": tau, **_category_scores(row, category), "abstain": abstain}
            for tau, row, abstain in zip(summary.rule.taus, certified, shapes.abstain, strict=True)
        ]
        found[category] = {
            "shapes": shapes.shapes,
            **{
                name: _category_scores(row, category) if row and row.of_category(category) else None
                for name, row in rows.items()
            },
            "certified": taus[0],
            "taus": taus,
        }
    return found


def _category_scores(row: Row, category: str) -> dict[str, float | None]:
    return pick_scores(row.of_category(category), "accuracy", "iou")
