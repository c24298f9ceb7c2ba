"""The table of a run: the records of all its inputs in a few rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from onnxcert._typing import Perturbation
from onnxcert.errors import StoreError
from onnxcert.metrics import Curve, Scores, scores
from onnxcert.part_metrics import PartScores
from onnxcert.report import alike
from onnxcert.report.by_category import ByCategory, Category
from onnxcert.result import WHOLE, passes
from onnxcert.statement import guarantee
from onnxcert.store.record import Record, certified_row

# Row name in the store -> what the table calls it.
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
        abstain: a share of all components, truth or not.
        parts: IoU shape by shape, where the shapes' categories and their labels are known.
    """

    radius: float | None
    scores: Scores | None
    abstain: float
    parts: PartScores | None = None


@dataclass(frozen=True)
class Summary:
    """What a run found, over all its inputs.

    Attributes:
        component: what one component is: "pixel", "point", or "input" as a whole.
        cloud: whether the inputs are point clouds.
        rows: by the keys of `ROWS`; those that apply.
        categories: those of the shapes, by name.
        perturbation: which; it says how a radius is written.
        settings: the parameters as decided with, by option name.
        listed: inputs that were to be certified, `inputs` and `skipped` ones among them.
        components: largest number of components of an input.
        radius: of the first tau; the smallest one where inputs have their own.
        budget: components of the largest input that may be wrong, under k-FWER.
        draws: noisy passes per input, mean. most_draws: the most there may be.
        ended: why inputs stopped at a look -> how many did.
        curve: certified and correct against the radius, where there is more than one radius.
        taus: every tau asked for -> its radius.
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
    kind: str
    component: str
    cloud: bool
    perturbation: Perturbation
    settings: dict[str, Any]
    seed: int
    draws: float
    most_draws: int
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


def _settings(record: Record) -> tuple[Any, ...]:
    """What all records of one run have in common."""
    return (
        *(record.draws.perturbation, record.draws.seed, record.draws.generator),
        *(_most(record), record.n0, record.selection, record.unit, record.kind),
        *(record.decision.rule, record.decision.controls),
        record.provenance.model.get("sha256"),
    )


def _component(record: Record) -> str:
    """What the table calls a component."""
    contract = record.provenance.contract
    if record.kind.startswith(WHOLE):
        return "input"
    if not _cloud(record):
        return "pixel"
    return "input" if contract.get("task") == "classification" else "point"


def _cloud(record: Record) -> bool:
    return record.provenance.contract.get("medium") == "points"


def _most(record: Record) -> int:
    """Draws tested, under looks the most there may be."""
    schedule = record.decision.rule.schedule
    return record.n if schedule is None else schedule.n


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
        if last is not None and _settings(record) != _settings(last):
            raise StoreError(
                f"the records {last.name} and {record.name} were made with other settings; "
                "onnxcert verify says which does not belong here."
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
                f"none of {listed} inputs is finished yet; the same onnxcert certify command goes "
                "on with them."
            )
        raise StoreError(
            "there are no results to report here; name the folder that onnxcert certify wrote, "
            "and of several outputs one."
        )
    decision, rule = last.decision, last.decision.rule
    if rule.alpha_scope == "dataset" and inputs > rule.inputs:
        raise StoreError(
            f"alpha is shared by {rule.inputs} inputs but there are {inputs} records; they are "
            "not of one run."
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
            # PREDICT is about the input itself.
            radius=None if rule.procedure == "predict" else radius,
            scores=scores(matrices[row]) if row in matrices else None,
            abstain=nothing / total,
            parts=parts.get(row),
        )
    settings = {
        "perturbation": last.draws.perturbation.name,
        **last.draws.perturbation.parameters(),
        "n": _most(last),
        "n0": last.n0,
        "selection": last.selection,
        **rule.as_dict(),
    }
    counted = alike.counted(notes, inputs)
    if nonfinite:
        counted.append(f"{nonfinite} votes were withheld because the model's output was not finite")
    counted += by_category.notes()
    if last.draws.law_note:
        counted.append(last.draws.law_note)
    share = abstained[0] / total
    if 0.75 <= share < 1:
        counted.append(
            f"{100 * share:.0f} % abstain; onnxcert inspect MODEL "
            f"{'SHAPE' if _cloud(last) else 'PICTURE'} shows whether the model sees what it was "
            "trained on, and the noise should be that of its training"
        )
    return Summary(
        model=last.provenance.model.get("name", ""),
        inputs=inputs,
        listed=max(listed, inputs + len(skipped or {})),
        skipped=dict(skipped or {}),
        components=components,
        radius=radii[0],
        unit=last.draws.perturbation.unit(last.unit),
        kind=last.kind,
        component=_component(last),
        cloud=_cloud(last),
        perturbation=last.draws.perturbation,
        settings=settings,
        seed=last.draws.seed,
        draws=drawn / inputs,
        most_draws=passes(_most(last), last.n0, last.selection),
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
            n=_most(last),
            n0=last.n0,
            selection=last.selection,
            components=components,
            smallest=smallest,
            kind=last.kind,
            radius=None if decision.own_radius is None else radii[0],
            law_error=law_error,
            leak_check=" or ".join(filter(None, leak_checks)),
        ),
        notes=(*alike.once(warnings), *counted),
    )
