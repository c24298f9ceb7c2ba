"""The table of a run: the records of all its inputs in a few rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from onnxcert.errors import StoreError
from onnxcert.metrics import Scores, scores
from onnxcert.result import guarantee, passes
from onnxcert.store.record import Record

# Row name in the store -> what the table calls it.
ROWS: Final = {
    "nonrobust": "non-robust",
    "clean": "clean",
    "noisy": "base (one noisy pass)",
    "certified": "certified",
}


@dataclass(frozen=True)
class Row:
    """One row of the table; `abstain` is a share of all components, truth or not."""

    radius: float | None
    scores: Scores | None
    abstain: float


@dataclass(frozen=True)
class Summary:
    """What a run found, over all its inputs.

    Attributes:
        rows: by the keys of `ROWS`; those that apply.
        settings: the parameters as decided with, by option name.
        listed: inputs that were to be certified, `inputs` and `skipped` ones among them.
        components: largest number of components of an input.
        draws: noisy passes per input, mean.
        statement: the guarantee, with the largest N.
        notes: what a reader must know beside it.
    """

    model: str
    inputs: int
    listed: int
    skipped: dict[str, str]
    components: int
    radius: float
    unit: str
    settings: dict[str, Any]
    seed: int
    draws: float
    nonfinite: int
    rows: dict[str, Row]
    class_names: tuple[str, ...]
    statement: str
    notes: tuple[str, ...]


def _settings(record: Record) -> tuple[Any, ...]:
    """What all records of one run have in common."""
    decided = record.decision
    return (
        *(record.draws.perturbation, record.draws.seed, record.draws.generator),
        *(record.n, record.n0, record.selection, record.unit, record.kind),
        *(decided.tau, decided.alpha, decided.alpha_scope, decided.inputs, decided.correction),
        record.provenance.model.get("sha256"),
    )


def summarise(
    records: Iterable[Record], *, listed: int = 0, skipped: Mapping[str, str] | None = None
) -> Summary:
    """The summary of `records`, which must come from one run.

    Args:
        records: the finished inputs.
        listed: how many inputs were to be certified; fewer than `records` means just those.
        skipped: name -> reason of the inputs that could not be used.

    Raises:
        StoreError: there are none.
    """
    matrices: dict[str, np.ndarray[Any, Any]] = {}
    last: Record | None = None
    inputs = components = total = abstained = nonfinite = 0
    smallest = 0
    notes: dict[str, int] = {}
    warnings: dict[str, None] = {}
    shown = {"clean", "noisy", "certified"}
    for record in records:
        if last is not None and _settings(record) != _settings(last):
            raise StoreError(
                f"the records {last.name} and {record.name} were made with other settings; "
                "onnxcert verify says which does not belong here."
            )
        last = record
        inputs += 1
        components = max(components, record.decision.components)
        smallest = min(smallest or components, record.decision.components)
        total += record.decision.components
        abstained += record.decision.abstained
        nonfinite += record.nonfinite
        for row, matrix in record.confusions.items():
            matrices[row] = matrices.get(row, 0) + np.asarray(matrix[...])
        if record.nonrobust is not None:
            shown.add("nonrobust")
        for note in record.decision.notes:
            notes[note] = notes.get(note, 0) + 1
        warnings.update(dict.fromkeys(record.provenance.environment.get("warnings", ())))
    if last is None:
        raise StoreError(
            "there are no results to report here; name the folder that onnxcert certify wrote, "
            "and of several outputs one."
        )
    decision = last.decision
    if decision.alpha_scope == "dataset" and inputs > decision.inputs:
        raise StoreError(
            f"alpha is shared by {decision.inputs} inputs but there are {inputs} records; they are "
            "not of one run."
        )
    rows = {
        row: Row(
            radius=decision.radius if row == "certified" else None,
            scores=scores(matrices[row]) if row in matrices else None,
            abstain=abstained / total if row == "certified" else 0.0,
        )
        for row in ROWS
        if row in shown
    }
    settings = {
        "perturbation": last.draws.perturbation.name,
        **last.draws.perturbation.parameters(),
        "tau": decision.tau,
        "n": last.n,
        "n0": last.n0,
        "alpha": decision.alpha,
        "alpha_scope": decision.alpha_scope,
        "correction": decision.correction,
        "selection": last.selection,
    }
    counted = [f"{note} ({k} of {inputs} inputs)" for note, k in notes.items()]
    if nonfinite:
        counted.append(f"{nonfinite} votes were withheld because the model's output was not finite")
    share = abstained / total
    if 0.75 <= share < 1:
        counted.append(
            f"{100 * share:.0f} % abstain; onnxcert inspect MODEL PICTURE shows whether the model "
            "sees what it was trained on, and the noise should be that of its training"
        )
    return Summary(
        model=last.provenance.model.get("name", ""),
        inputs=inputs,
        listed=max(listed, inputs + len(skipped or {})),
        skipped=dict(skipped or {}),
        components=components,
        radius=decision.radius,
        unit=last.unit,
        settings=settings,
        seed=last.draws.seed,
        draws=float(passes(last.n, last.n0, last.selection)),
        nonfinite=nonfinite,
        rows=rows,
        class_names=tuple(last.provenance.contract.get("class_names", ())),
        statement=guarantee(
            perturbation=last.draws.perturbation,
            unit=last.unit,
            tau=decision.tau,
            alpha=decision.alpha,
            alpha_scope=decision.alpha_scope,
            inputs=decision.inputs,
            n=last.n,
            n0=last.n0,
            components=components,
            smallest=smallest,
            kind=last.kind,
            correction=decision.correction,
            selection=last.selection,
        ),
        notes=(*warnings, *counted),
    )
