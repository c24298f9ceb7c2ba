"""The table of a run, as text and as one JSON object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxcert.metrics import Curve
from onnxcert.perturbation import rounded_down
from onnxcert.report.summary import ROWS, Row, Summary
from onnxcert.result import WHOLE


def table(summary: Summary, *, per_class: bool = False) -> str:
    """The table of the paper with the guarantee under it, as plain text."""
    whole = summary.kind.startswith(WHOLE)
    accuracy = "accuracy" if whole else "pixel accuracy"
    cells = [["", "certified radius", accuracy, "mIoU", "abstained"]]
    for name, row in summary.rows.items():
        scores = row.scores
        cells.append(
            [
                row_name(name, summary),
                "-" if row.radius is None else rounded_down(row.radius),
                number(None if scores is None else scores.accuracy),
                number(None if scores is None else scores.miou),
                number(row.abstain),
            ]
        )
    lines = [coverage(summary), "", *columns(cells)]
    certified = summary.rows["certified"].scores
    if certified is not None and certified.accuracy_certified is not None:
        share = number(certified.accuracy_certified)
        things = "inputs" if whole else "pixels"
        at = f" (tau {summary.settings['tau']})" if len(summary.taus) > 1 else ""
        lines += [
            "",
            f"Of the certified {things} that have a label{at}, {share} have the right class.",
        ]
    if summary.curve is not None and summary.settings.get("radius_map"):
        lines += ["", *_by_radius(summary.curve)]
    if "looks" in summary.settings:
        lines += ["", _drawn(summary)]
    if per_class and certified is not None:
        lines += ["", *_per_class(summary)]
    lines += ["", summary.statement, *(f"note: {note}" for note in summary.notes)]
    return "\n".join(lines)


def row_name(row: str, summary: Summary) -> str:
    """What the table calls a row."""
    if not row.startswith("certified"):
        return ROWS[row]
    kind = "in hindsight" if summary.settings.get("hindsight") else ROWS["certified"]
    if len(summary.taus) == 1:
        return kind
    tau = row.removeprefix("certified").removeprefix(" tau=") or repr(summary.settings["tau"])
    return f"{kind} (tau {tau})"


def _by_radius(curve: Curve) -> list[str]:
    """Certified share and accuracy at a few radii of the radius map."""
    cells = [["radius at least", "certified", *(["accuracy"] if curve.labelled else [])]]
    count = int(np.count_nonzero(curve.certified))  # beyond, nothing is certified
    for j in sorted({round(i * (count - 1) / 7) for i in range(8)}) if count else []:
        cells.append(
            [
                rounded_down(float(curve.radii[j])),
                number(curve.certified[j] / curve.components),
                *([number(curve.correct[j] / curve.labelled)] if curve.labelled else []),
            ]
        )
    return columns(cells)


def _drawn(summary: Summary) -> str:
    """What early stopping saved."""
    saved = 1.0 - summary.draws / summary.most_draws
    said = (
        f"Draws per input: {summary.draws:.5g} of at most {summary.most_draws}, "
        f"{100 * saved:.0f} % saved"
    )
    reasons = {
        "until": "the share asked for was certified",
        "futility": "little more could be expected",
        "time": "the time was over",
        "interrupted": "it was interrupted",
    }
    stops = [f"{count} because {reasons[why]}" for why, count in sorted(summary.ended.items())]
    return f"{said}; stopped early: {', '.join(stops)}." if stops else f"{said}."


def coverage(summary: Summary) -> str:
    """How many inputs the table is about, of how many."""
    open_ = summary.listed - summary.inputs - len(summary.skipped)
    plural = "" if summary.inputs == 1 else "s"
    late = summary.settings.get("hindsight")
    how = "decided in hindsight, which is no certificate" if late else "certified"
    said = [f"{summary.inputs} input{plural} {how}"]
    if summary.skipped:
        said.append(f"{len(summary.skipped)} skipped")
    if open_:
        said.append(f"{open_} not done yet: the run is not finished")
    return ", ".join(said)


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
    """The whole run as one object of plain values; a row that does not apply is null."""
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
        **(_more(summary) if summary else {}),
        "seed": summary.seed if summary else None,
        "nonrobust": _scores(rows.get("nonrobust")),
        "clean": _scores(rows.get("clean")),
        "noisy": _scores(rows.get("noisy")),
        "certified": certified
        and {
            "accuracy": certified.scores and certified.scores.accuracy,
            "miou": certified.scores and certified.scores.miou,
            "abstain": certified.abstain,
            "accuracy_certified": certified.scores and certified.scores.accuracy_certified,
        },
        "skipped": list(skipped),
        "nonfinite": summary.nonfinite if summary else 0,
        "warnings": list(warnings),
        "statement": summary.statement if summary else None,
        "seconds": seconds and {name: round(value, 4) for name, value in seconds.items()},
        "out": out,
    }


def _more(summary: Summary) -> dict[str, Any]:
    """What only some runs have: a budget, looks, several tau, a curve."""
    found: dict[str, Any] = {}
    if summary.budget:
        found["budget_components"] = summary.budget
        found["budget_share"] = summary.budget / summary.components
    if "looks" in summary.settings:
        found["draws_saved"] = 1.0 - summary.draws / summary.most_draws
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


def _scores(row: Row | None) -> dict[str, float | None] | None:
    if row is None or row.scores is None:
        return None
    return {"accuracy": row.scores.accuracy, "miou": row.scores.miou}


def _per_class(summary: Summary) -> list[str]:
    shown = {name: row.scores for name, row in summary.rows.items() if row.scores is not None}
    names = summary.class_names or tuple(str(c) for c in range(len(next(iter(shown.values())).iou)))
    cells = [["IoU", *(row_name(name, summary) for name in shown)]]
    for c, class_name in enumerate(names):
        cells.append([class_name, *(number(scores.iou[c]) for scores in shown.values())])
    return columns(cells)


def columns(cells: Sequence[Sequence[str]]) -> list[str]:
    """First column left, the others right, headings underlined."""
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in cells
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
