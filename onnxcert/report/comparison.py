"""Two runs side by side: what was asked, what came out, and where their labels differ."""

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
    """How the certified labels of one input differ between run A and run B.

    Attributes:
        same_input: whether both runs saw the same input under this name.
        components: how many there are, or None where the runs label different grids; nothing can
            be counted then.
        other_class: certified in both, to different classes.
        only_a, only_b: certified in one, abstained in the other.
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
    """Two runs, A and B.

    Attributes:
        paths: where they lie.
        summaries: of both, over the inputs in common; over their own where none is.
        parameters: name -> (value in A, value in B) of each that differs; None where it is not set.
        inputs: the inputs in common.
        only_a, only_b: names of the others.
    """

    paths: tuple[str, str]
    summaries: tuple[Summary, Summary]
    parameters: Mapping[str, tuple[Any, Any]]
    inputs: tuple[InputDifference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


def compare(a: Results, b: Results) -> Comparison:
    """Compare two runs, input by input by name.

    Raises:
        StoreError: one of them has no finished input, or does not say what was asked.
    """
    asked_a, asked_b = _asked(a), _asked(b)
    names_a, names_b = set(a.names()), set(b.names())
    common = sorted(names_a & names_b)
    summaries = tuple(
        summarise(results.records(common or None, checked=True)) for results in (a, b)
    )
    for asked, summary in zip((asked_a, asked_b), summaries, strict=True):
        asked["class_names"] = list(summary.class_names)
    return Comparison(
        paths=(str(a.path), str(b.path)),
        summaries=(summaries[0], summaries[1]),
        parameters={
            name: (asked_a.get(name), asked_b.get(name))
            for name in sorted({*asked_a, *asked_b})
            if asked_a.get(name) != asked_b.get(name)
        },
        inputs=tuple(_difference(name, a, b) for name in common),
        only_a=tuple(sorted(names_a - names_b)),
        only_b=tuple(sorted(names_b - names_a)),
    )


def _asked(results: Results) -> dict[str, Any]:
    """Everything asked of a run, the fields of the contract each by itself."""
    run = results.run()
    if run is None:
        raise StoreError(
            f"there are no results in {results.path}; name a folder that onnxcert certify wrote, "
            "or a file that onnxcert pack wrote."
        )
    asked = {**run["parameters"], "seed": run["seed"]}
    contract = asked.get("contract")
    if isinstance(contract, dict):
        del asked["contract"]
        asked |= {f"contract.{name}": value for name, value in contract.items()}
    return asked


def _difference(name: str, a: Results, b: Results) -> InputDifference:
    with a.open(name, checked=True) as record_a, b.open(name, checked=True) as record_b:
        return _counted(record_a, record_b)


def _counted(a: Record, b: Record) -> InputDifference:
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
