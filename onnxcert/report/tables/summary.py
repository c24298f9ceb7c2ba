"""Summary of a run: scores and counts over the records of all its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from onnxcert._typing import Perturbation
from onnxcert.errors import StoreError
from onnxcert.metrics.part_iou import PartScores
from onnxcert.metrics.scores import Curve, Scores, scores
from onnxcert.model.contract.modality import Modality
from onnxcert.report.tables import alike
from onnxcert.report.tables.by_category import ByCategory, Category
from onnxcert.results.record import Record, certified_row
from onnxcert.sampling.tally import Component, passes
from onnxcert.statistics.guarantee import guarantee

# Row name in the store -> row name in the table.
ROWS: Final = {
    "nonrobust": "non-robust",
    "clean": "clean",
    "noisy": "base (one noisy pass)",
    "certified": "certified",
}


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        radius: certified radius, or None if the row has none.
        scores: None without ground truth.
        abstain: share of all components, with or without ground truth.
        parts: IoU by shape, if categories and ground truth are known.
    """

    radius: float | None
    scores: Scores | None
    abstain: float
    parts: PartScores | None = None


@dataclass(frozen=True)
class Summary:
    """Results of a run over all its inputs.

    Attributes:
        model: file name of the model.
        inputs: number of finished inputs.
        listed: number of listed inputs, finished, skipped or neither.
        skipped: name -> reason of the skipped inputs.
        components: largest number of components of an input.
        radius: radius of the first tau; the smallest one if it differs between inputs.
        unit: unit of the radius, as text.
        kind: what is certified, as stored.
        component: what one component is: "pixel", "point", or "input" as a whole.
        cloud: whether the inputs are point clouds.
        perturbation: formats a radius as text.
        settings: parameters of the decision, by option name.
        seed: seed of the draws.
        draws: mean number of noisy passes per input.
        most_draws: maximum number of noisy passes per input.
        ended: reason of an early stop -> number of inputs.
        budget: components of the largest input that may be wrong, under k-FWER.
        nonfinite: number of invalid (non-finite) predictions.
        rows: rows of the table that apply, by the keys of `ROWS`.
        categories: categories of the shapes, by name.
        taus: each requested tau -> its radius.
        curve: certified and correct components against the radius, if there are several radii.
        class_names: names by class index.
        statement: the guarantee, with the largest N.
        notes: remarks shown with the guarantee.
    """

    model: str
    inputs: int
    listed: int
    skipped: dict[str, str]
    components: int
    radius: float
    unit: str
    kind: str
    component: str
    cloud: bool
    perturbation: Perturbation
    settings: dict[str, Any]
    seed: int
    draws: float
    max_draws: int
    ended: dict[str, int]
    budget: int
    nonfinite: int
    rows: dict[str, Row]
    categories: dict[str, Category]
    taus: dict[float, float]
    curve: Curve | None
    class_names: tuple[str, ...]
    statement: str
    notes: tuple[str, ...]


def _run_settings(record: Record) -> tuple[Any, ...]:
    """Return the parameters that all records of one run share."""
    return (
        *(record.draws.perturbation, record.draws.seed, record.draws.generator),
        *(_max_draws(record), record.n0, record.selection, record.unit, record.kind),
        *(record.decision.rule, record.decision.controls),
        record.provenance.model.get("sha256"),
    )


def _component(record: Record) -> str:
    """Return the table's word for one component."""
    if Component.parse(record.kind).element.is_whole:
        return "input"
    return "point" if _is_cloud(record) else "pixel"


def _is_cloud(record: Record) -> bool:
    return record.provenance.contract.get("medium") == Modality.POINTS


def _max_draws(record: Record) -> int:
    """Return the number of tested draws; with interim looks, the maximum."""
    schedule = record.decision.rule.schedule
    return record.n if schedule is None else schedule.n


def summarise(
    records: Iterable[Record], *, listed: int = 0, skipped: Mapping[str, str] | None = None
) -> Summary:
    """Return the summary of `records`, which must come from one run.

    Args:
        records: records of the finished inputs.
        listed: number of listed inputs; if lower, the number of records and skipped inputs.
        skipped: name -> reason of the inputs that could not be used.

    Raises:
        StoreError: there are no records, or they come from different runs.
    """
    matrices: dict[str, np.ndarray[Any, Any]] = {}
    last: Record | None = None
    by_category = ByCategory()
    inputs = components = smallest = total = nonfinite = drawn = 0
    law_error = 0.0
    abstained: list[int] = []
    radii: list[float] = []
    whole: Curve | None = None
    ended: dict[str, int] = {}
    notes: dict[str, int] = {}
    warnings: dict[str, None] = {}
    leak_checks: dict[str, None] = {}
    shown = {"clean", "noisy", "certified"}
    for record in records:
        if last is not None and _run_settings(record) != _run_settings(last):
            raise StoreError(
                f"the records {last.name} and {record.name} were made with different settings; "
                "run onnxcert verify to find the one that does not belong here."
            )
        last = record
        inputs += 1
        law_error = max(law_error, record.law_error)
        components = max(components, record.decision.components)
        smallest = min(smallest or components, record.decision.components)
        total += record.decision.components
        here = record.decision
        abstained = [
            new + old
            for new, old in zip(here.abstained, abstained or [0] * len(here.abstained), strict=True)
        ]
        radii = [min(pair) for pair in zip(here.radius, radii or here.radius, strict=True)]
        drawn += passes(record.n, record.n0, record.selection)
        if record.ended:
            ended[record.ended] = ended.get(record.ended, 0) + 1
        if here.rule.radius_map or here.rule.more_taus:
            whole = record.curve if whole is None else whole + record.curve
        nonfinite += record.nonfinite
        read = {row: np.asarray(matrix[...]) for row, matrix in record.confusions.items()}
        for row, matrix in read.items():
            matrices[row] = matrices.get(row, 0) + matrix
        by_category.add(record, read)
        if record.nonrobust is not None:
            shown.add("nonrobust")
        for note in record.decision.notes:
            notes[note] = notes.get(note, 0) + 1
        leak_checks[record.leak_check] = None
        warnings.update(dict.fromkeys(record.provenance.environment.get("warnings", ())))
    if last is None:
        if listed:
            raise StoreError(
                f"none of {listed} inputs is finished yet; run the same onnxcert certify command "
                "again to resume."
            )
        raise StoreError(
            "there are no results to report here; give the folder that onnxcert certify wrote, "
            "or one of its outputs if the model has several."
        )
    decision, rule = last.decision, last.decision.rule
    if rule.alpha_scope == "dataset" and inputs > rule.inputs:
        raise StoreError(
            f"alpha is shared by {rule.inputs} inputs but there are {inputs} records; they do "
            "not come from one run."
        )
    parts = by_category.scores()
    rows = {
        row: Row(
            radius=None,
            scores=scores(matrices[row]) if row in matrices else None,
            abstain=0.0,
            parts=parts.get(row),
        )
        for row in ROWS
        if row in shown and row != "certified"
    }
    for tau, radius, nothing in zip(rule.taus, radii, abstained, strict=True):
        row = "certified" if tau == rule.tau else certified_row(tau)
        rows[row] = Row(
            # PREDICT certifies the prediction at the input itself, so it has no radius.
            radius=None if rule.procedure == "predict" else radius,
            scores=scores(matrices[row]) if row in matrices else None,
            abstain=nothing / total,
            parts=parts.get(row),
        )
    settings = {
        "perturbation": last.draws.perturbation.name,
        **last.draws.perturbation.parameters(),
        "n": _max_draws(last),
        "n0": last.n0,
        "selection": last.selection,
        **rule.as_dict(),
    }
    counted = alike.count_similar(notes, inputs)
    if nonfinite:
        counted.append(
            f"{nonfinite} predictions were invalid because the model's output was not finite"
        )
    counted += by_category.notes()
    if last.draws.law_note:
        counted.append(last.draws.law_note)
    share = abstained[0] / total
    if 0.75 <= share < 1:
        counted.append(
            f"{100 * share:.0f} % abstain; onnxcert inspect MODEL "
            f"{'SHAPE' if _is_cloud(last) else 'PICTURE'} shows whether the model gets the input "
            "it was trained on; the noise should be that of its training"
        )
    return Summary(
        model=last.provenance.model.get("name", ""),
        inputs=inputs,
        listed=max(listed, inputs + len(skipped or {})),
        skipped=dict(skipped or {}),
        components=components,
        radius=radii[0],
        unit=last.draws.perturbation.unit or last.unit,
        kind=last.kind,
        component=_component(last),
        cloud=_is_cloud(last),
        perturbation=last.draws.perturbation,
        settings=settings,
        seed=last.draws.seed,
        draws=drawn / inputs,
        max_draws=passes(_max_draws(last), last.n0, last.selection),
        ended=ended,
        budget=rule.budget.of(components),
        nonfinite=nonfinite,
        rows=rows,
        categories=by_category.categories(),
        taus=dict(zip(rule.taus, radii, strict=True)),
        curve=whole,
        class_names=tuple(last.provenance.contract.get("class_names", ())),
        statement=guarantee(
            rule=rule,
            controls=decision.controls,
            perturbation=last.draws.perturbation,
            unit=last.unit,
            n=_max_draws(last),
            n0=last.n0,
            selection=last.selection,
            components=components,
            smallest=smallest,
            kind=last.kind,
            radius=None if decision.own_radius is None else radii[0],
            law_error=law_error,
            leak_check=" or ".join(filter(None, leak_checks)),
        ),
        notes=(*alike.merge_similar(warnings), *counted),
    )
