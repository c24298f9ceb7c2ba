"""Comparison of two runs: parameters, scores, and labels that differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from onnxcert.errors import StoreError
from onnxcert.report.tables.summary import Summary, summarise
from onnxcert.report.tables.text import format_columns, format_number
from onnxcert.results import Record, Results
from onnxcert.statistics.certificate import ABSTAIN
from onnxcert.statistics.guarantee import round_down


@dataclass(frozen=True)
class InputDifference:
    """Differences between the certified labels of one input in run A and run B.

    Attributes:
        name: name of the input.
        same_input: whether both runs saw the same input under this name.
        components: number of components, or None if the runs label different grids; nothing can
            be counted then.
        other_class: components certified in both runs, but to different classes.
        only_a: components certified in A only.
        only_b: components certified in B only.
    """

    name: str
    same_input: bool
    components: int | None
    other_class: int = 0
    only_a: int = 0
    only_b: int = 0

    @property
    def differing(self) -> int:
        return self.other_class + self.only_a + self.only_b


@dataclass(frozen=True)
class Comparison:
    """Comparison of two runs, A and B.

    Attributes:
        paths: paths of both runs.
        summaries: summaries over the common inputs; over all inputs of each run if none is common.
        parameters: name -> (value in A, value in B) of each that differs; None if it is not set.
        inputs: the common inputs.
        only_a: names of inputs in A only.
        only_b: names of inputs in B only.
    """

    paths: tuple[str, str]
    summaries: tuple[Summary, Summary]
    parameters: Mapping[str, tuple[Any, Any]]
    inputs: tuple[InputDifference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    def __str__(self) -> str:
        return comparison_table(self)


def compare(a: Results, b: Results) -> Comparison:
    """Compare two runs; inputs are matched by name.

    Raises:
        StoreError: a run has no finished input, or its parameters are not stored.
    """
    parameters_a, parameters_b = _run_parameters(a), _run_parameters(b)
    names_a, names_b = set(a.names()), set(b.names())
    common = sorted(names_a & names_b)
    summaries = tuple(
        summarise(results.records(common or None, checked=True)) for results in (a, b)
    )
    for parameters, summary in zip((parameters_a, parameters_b), summaries, strict=True):
        parameters["class_names"] = list(summary.class_names)
    return Comparison(
        paths=(str(a.path), str(b.path)),
        summaries=(summaries[0], summaries[1]),
        parameters={
            name: (parameters_a.get(name), parameters_b.get(name))
            for name in sorted({*parameters_a, *parameters_b})
            if parameters_a.get(name) != parameters_b.get(name)
        },
        inputs=tuple(_compare_input(name, a, b) for name in common),
        only_a=tuple(sorted(names_a - names_b)),
        only_b=tuple(sorted(names_b - names_a)),
    )


def _run_parameters(results: Results) -> dict[str, Any]:
    """Return all parameters of a run; each field of the contract is one of them."""
    run = results.run()
    if run is None:
        raise StoreError(
            f"there are no results in {results.path}; name a folder that onnxcert certify wrote, "
            "or a file that onnxcert pack wrote."
        )
    parameters = {**run["parameters"], "seed": run["seed"]}
    contract = parameters.get("contract")
    if isinstance(contract, dict):
        del parameters["contract"]
        parameters |= {f"contract.{name}": value for name, value in contract.items()}
    return parameters


def _compare_input(name: str, a: Results, b: Results) -> InputDifference:
    with a.open(name, checked=True) as record_a, b.open(name, checked=True) as record_b:
        return _compare_labels(record_a, record_b)


def _compare_labels(a: Record, b: Record) -> InputDifference:
    same = a.tally.draws.digest == b.tally.draws.digest
    labels: Sequence[Any] = [np.asarray(record.labels[...]) for record in (a, b)]
    if labels[0].shape != labels[1].shape:
        return InputDifference(a.name, same, None)
    sure_a, sure_b = (array != ABSTAIN for array in labels)
    return InputDifference(
        name=a.name,
        same_input=same,
        components=labels[0].size,
        other_class=int(np.count_nonzero(sure_a & sure_b & (labels[0] != labels[1]))),
        only_a=int(np.count_nonzero(sure_a & ~sure_b)),
        only_b=int(np.count_nonzero(~sure_a & sure_b)),
    )


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
        "inputs": [_input_fields(difference) for difference in comparison.inputs],
        "only_a": list(comparison.only_a),
        "only_b": list(comparison.only_b),
    }


def _input_fields(d: InputDifference) -> dict[str, Any]:
    counts = {
        "differing": d.differing,
        "share": d.differing / (d.components or 1),
        "other_class": d.other_class,
        "only_a": d.only_a,
        "only_b": d.only_b,
    }
    known = {"name": d.name, "same_input": d.same_input, "components": d.components}
    return known | (dict.fromkeys(counts) if d.components is None else counts)


def _score_pairs(comparison: Comparison) -> dict[str, tuple[float | None, float | None]]:
    a, b = (_summary_scores(summary) for summary in comparison.summaries)
    return {name: (a[name], b[name]) for name in a}


def _summary_scores(summary: Summary) -> dict[str, float | None]:
    certified, clean = summary.rows["certified"], summary.rows["clean"]
    return {
        "radius": summary.radius,
        "accuracy": getattr(certified.scores, "accuracy", None),
        "miou": getattr(certified.scores, "miou", None),
        "abstain": certified.abstain,
        "clean accuracy": getattr(clean.scores, "accuracy", None),
        "clean miou": getattr(clean.scores, "miou", None),
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
