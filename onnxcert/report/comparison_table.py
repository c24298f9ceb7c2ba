"""Comparison of two runs as text and as one JSON object."""

from __future__ import annotations

import json
from typing import Any, Final

from onnxcert.perturbation import round_down
from onnxcert.report.comparison import Comparison, InputDifference
from onnxcert.report.lines import format_columns, format_number
from onnxcert.report.summary import Summary

# Longer values, such as digests, are cut in the table but complete in the JSON object.
_WIDEST: Final = 40


def comparison_table(comparison: Comparison) -> str:
    """Return as text: parameters that differ, the scores of both runs, each common input."""
    lines = [f"A  {comparison.paths[0]}", f"B  {comparison.paths[1]}", ""]
    if comparison.parameters:
        cells = [["parameter", "A", "B"]]
        cells += [
            [name, _shorten(a), _shorten(b)] for name, (a, b) in comparison.parameters.items()
        ]
        lines += format_columns(cells)
    else:
        lines.append("every parameter is the same")
    cells = [[_count_common(comparison), "A", "B", "B - A"]]
    for name, (a, b) in _score_pairs(comparison).items():
        difference = _subtract(b, a)
        shown = [_format_score(name, a), _format_score(name, b)]
        cells.append([name, *shown, "-" if difference is None else f"{difference:+.3f}"])
    lines += ["", *format_columns(cells)]
    if comparison.inputs:
        cells = [["certified labels", "components", "other class", "only A", "only B", "differ"]]
        cells += [_input_cells(difference) for difference in comparison.inputs]
        lines += ["", *format_columns(cells)]
    for run, names in (("A", comparison.only_a), ("B", comparison.only_b)):
        if names:
            lines += ["", f"only in {run}: {', '.join(names)}"]
    return "\n".join(lines)


def comparison_object(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain values; null where the runs cannot be compared."""
    return {
        "a": comparison.paths[0],
        "b": comparison.paths[1],
        "parameters": {name: {"a": a, "b": b} for name, (a, b) in comparison.parameters.items()},
        "inputs_in_common": len(comparison.inputs),
        **{
            name.replace(" ", "_"): {"a": a, "b": b, "difference": _subtract(b, a)}
            for name, (a, b) in _score_pairs(comparison).items()
        },
        "inputs": [
            {
                "name": d.name,
                "same_input": d.same_input,
                "components": d.components,
                "differing": None if d.components is None else d.differing,
                "share": None if d.components is None else d.differing / d.components,
                "other_class": None if d.components is None else d.other_class,
                "only_a": None if d.components is None else d.only_a,
                "only_b": None if d.components is None else d.only_b,
            }
            for d in comparison.inputs
        ],
        "only_a": list(comparison.only_a),
        "only_b": list(comparison.only_b),
    }


def _score_pairs(comparison: Comparison) -> dict[str, tuple[float | None, float | None]]:
    a, b = (_summary_scores(summary) for summary in comparison.summaries)
    return {name: (a[name], b[name]) for name in a}


def _summary_scores(summary: Summary) -> dict[str, float | None]:
    certified, clean = summary.rows["certified"], summary.rows["clean"]
    sure, plain = certified.scores, clean.scores
    return {
        "radius": summary.radius,
        "accuracy": None if sure is None else sure.accuracy,
        "miou": None if sure is None else sure.miou,
        "abstain": certified.abstain,
        "clean accuracy": None if plain is None else plain.accuracy,
        "clean miou": None if plain is None else plain.miou,
    }


def _count_common(comparison: Comparison) -> str:
    count = len(comparison.inputs)
    if count == 0:
        return "no input in common"
    return f"{count} input{'' if count == 1 else 's'} in common"


def _input_cells(d: InputDifference) -> list[str]:
    name = d.name if d.same_input else f"{d.name} (another input)"
    if d.components is None:
        return [name, "other grid", "-", "-", "-", "-"]
    counts = [str(n) for n in (d.components, d.other_class, d.only_a, d.only_b)]
    return [name, *counts, f"{d.differing} = {d.differing / d.components:.2%}"]


def _format_score(name: str, value: float | None) -> str:
    # A radius is rounded down, so that it is never shown larger than certified.
    return round_down(value) if name == "radius" and value is not None else format_number(value)


def _subtract(b: float | None, a: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _shorten(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
