"""Comparison of two runs: parameters, scores, and labels that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxcert.errors import StoreError
from onnxcert.report.summary import Summary, summarise
from onnxcert.result import ABSTAIN
from onnxcert.store import Record, Results


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
    same = a.draws.digest == b.draws.digest
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
