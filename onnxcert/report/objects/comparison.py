"""The comparison of two runs as one object."""

from __future__ import annotations

from typing import Any

from onnxcert.report.tables.comparison import Comparison, InputDifference, score_pairs, subtract


def comparison_object(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON values; null where the runs cannot be compared."""
    return {
        "a": comparison.paths[0],
        "b": comparison.paths[1],
        "parameters": {name: {"a": a, "b": b} for name, (a, b) in comparison.parameters.items()},
        "scores": {
            name.replace(" ", "_"): {"a": a, "b": b, "difference": subtract(b, a)}
            for name, (a, b) in score_pairs(comparison).items()
        },
        "inputs": [_input_object(difference) for difference in comparison.inputs],
        "only_a": list(comparison.only_a),
        "only_b": list(comparison.only_b),
    }


def _input_object(d: InputDifference) -> dict[str, Any]:
    counts = {
        "differing": d.differing,
        "share": d.differing / (d.components or 1),
        "other_class": d.other_class,
        "only_a": d.only_a,
        "only_b": d.only_b,
    }
    known = {"name": d.name, "same_input": d.same_input, "components": d.components}
    return known | (dict.fromkeys(counts) if d.components is None else counts)
