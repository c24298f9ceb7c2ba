"""Summary of a run: scores and counts over the records of all its inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxcert._typing import Perturbation
from onnxcert.errors import StoreError
from onnxcert.metrics.scores import Curve, scores
from onnxcert.planning.abstention import Abstention
from onnxcert.report.tables.abstention import SOME, ExplainedInputs
from onnxcert.report.tables.by_category import ByCategory, Category
from onnxcert.report.tables.record_facts import element_word, is_cloud, max_draws, run_settings
from onnxcert.report.tables.rows import Row
from onnxcert.report.tables.text import count_similar, merge_similar
from onnxcert.results.record import Record, certified_row
from onnxcert.sampling.tally import Selection, passes
from onnxcert.statistics.guarantee import guarantee
from onnxcert.statistics.guarantee_summary import summarise_guarantee
from onnxcert.statistics.rule import Rule


@dataclass(frozen=True)
class Summary:
    """Results of a run over all its inputs.

    Attributes:
        model: file name of the model.
        model_sha256: SHA-256 of its file; empty if unknown.
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
        rule: the decision rule.
        settings: parameters of the decision, by option name.
        n: draws tested; with interim looks, the maximum.
        n0: draws that the candidate is chosen from.
        selection: `pooled` or `split`.
        seed: seed of the draws.
        draws: mean number of noisy passes per input.
        max_draws: maximum number of noisy passes per input.
        stopping: reasons to stop early that were requested, by option name.
        ended: reason of an early stop -> number of inputs.
        budget: components of the largest input that may be wrong, under k-FWER.
        nonfinite: number of invalid (non-finite) predictions.
        rows: rows of the table that apply, by the keys of `onnxcert.report.tables.rows.ROWS`.
        categories: categories of the shapes, by name.
        taus: each requested tau -> its radius.
        curve: certified and correct components against the radius, if there are several radii.
        class_names: names by class index.
        sentence: the guarantee in one line.
        statement: its exact wording, with the largest N.
        notes: remarks shown with the guarantee.
        abstentions: name of the input -> what abstains and why; of some or all inputs.
    """

    model: str
    model_sha256: str
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
    rule: Rule
    settings: dict[str, Any]
    n: int
    n0: int
    selection: Selection
    seed: int
    draws: float
    max_draws: int
    stopping: dict[str, float]
    ended: dict[str, int]
    budget: int
    nonfinite: int
    rows: dict[str, Row]
    categories: dict[str, Category]
    taus: dict[float, float]
    curve: Curve | None
    class_names: tuple[str, ...]
    sentence: str
    statement: str
    notes: tuple[str, ...]
    abstentions: dict[str, Abstention]

    @property
    def has_part_scores(self) -> bool:
        """Whether any shape has an IoU over the parts of its category."""
        return any(row.parts is not None for row in self.rows.values())


def summarise(
    records: Iterable[Record],
    *,
    listed: int = 0,
    skipped: Mapping[str, str] | None = None,
    explain: int | None = SOME,
) -> Summary:
    """Return the summary of `records`, which must come from one run.

    Args:
        records: records of the finished inputs.
        listed: number of listed inputs; if lower, the number of records and skipped inputs.
        skipped: name -> reason of the inputs that could not be used.
        explain: largest number of inputs whose votes are read to explain what abstains, evenly
            spread; None for all. Nothing else needs large arrays of the records.

    Raises:
        StoreError: there are no records, or they come from different runs.
    """
    matrices: dict[str, np.ndarray[Any, Any]] = {}
    last: Record | None = None
    by_category = ByCategory()
    decided: list[tuple[int, tuple[int, ...], tuple[float, ...]]] = []
    nonfinite = drawn = 0
    law_error, nonrobust = 0.0, False
    whole: Curve | None = None
    ended, notes = Counter[str](), Counter[str]()
    warnings: dict[str, None] = {}
    leak_checks: dict[str, None] = {}
    explained = ExplainedInputs(explain)
    for record in records:
        if last is not None and run_settings(record) != run_settings(last):
            raise StoreError(
                f"the records {last.name} and {record.name} were made with different settings; "
                "run onnxcert verify to find the one that does not belong here."
            )
        last, tally, decision = record, record.tally, record.decision
        decided.append((decision.components, decision.abstained, decision.radius))
        law_error = max(law_error, tally.law_error)
        drawn += passes(tally.n, tally.n0, tally.selection)
        ended.update([tally.ended] if tally.ended else [])
        if decision.rule.radius_map or decision.rule.more_taus:
            whole = record.curve if whole is None else whole + record.curve
        nonfinite += tally.nonfinite
        read = {row: np.asarray(matrix[...]) for row, matrix in record.confusions.items()}
        for row, matrix in read.items():
            matrices[row] = matrices.get(row, 0) + matrix
        by_category.add(record, read)
        nonrobust |= record.nonrobust is not None
        notes.update(decision.notes)
        leak_checks[tally.leak_check] = None
        explained.add(record)
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
    sizes, abstained_by_tau, radii_by_tau = zip(*decided, strict=True)
    inputs, components, total = len(sizes), max(sizes), sum(sizes)
    radii = [min(radii) for radii in zip(*radii_by_tau, strict=True)]
    abstain = [sum(counts) / total for counts in zip(*abstained_by_tau, strict=True)]
    rule, draws = decision.rule, tally.draws
    if rule.alpha_scope == "dataset" and inputs > rule.inputs:
        raise StoreError(
            f"alpha is shared by {rule.inputs} inputs but there are {inputs} records; they do "
            "not come from one run."
        )
    # Row -> radius and abstention. PREDICT certifies the prediction at the input itself, so it has
    # no radius.
    numbers: dict[str, tuple[float | None, float]] = {"nonrobust": (None, 0.0)} if nonrobust else {}
    numbers |= {"clean": (None, 0.0), "noisy": (None, 0.0)}
    for tau, radius, share in zip(rule.taus, radii, abstain, strict=True):
        row = "certified" if tau == rule.tau else certified_row(tau)
        numbers[row] = None if rule.procedure == "predict" else radius, share
    own_radius = None if decision.own_radius is None else radii[0]
    parts = by_category.scores()
    rows = {
        row: Row(radius, scores(matrices[row]) if row in matrices else None, share, parts.get(row))
        for row, (radius, share) in numbers.items()
    }
    settings = {
        "perturbation": draws.perturbation.name,
        **draws.perturbation.parameters(),
        "n": max_draws(last),
        "n0": tally.n0,
        "selection": tally.selection,
        **rule.as_dict(),
    }
    counted = count_similar(notes, inputs)
    if nonfinite:
        counted.append(
            f"{nonfinite} predictions were invalid because the model's output was not finite"
        )
    counted += by_category.notes()
    if draws.law_note:
        counted.append(draws.law_note)
    if 0.75 <= abstain[0] < 1:
        counted.append(
            f"{100 * abstain[0]:.0f} % abstain; onnxcert inspect MODEL "
            f"{'SHAPE' if is_cloud(last) else 'PICTURE'} shows whether the model gets the input "
            "it was trained on; the noise should be that of its training"
        )
    return Summary(
        model=last.provenance.model.get("name", ""),
        model_sha256=last.provenance.model.get("sha256", ""),
        inputs=inputs,
        listed=max(listed, inputs + len(skipped or {})),
        skipped=dict(skipped or {}),
        components=components,
        radius=radii[0],
        unit=draws.perturbation.unit or tally.unit,
        kind=tally.kind,
        component=element_word(last),
        cloud=is_cloud(last),
        perturbation=draws.perturbation,
        rule=rule,
        settings=settings,
        n=max_draws(last),
        n0=tally.n0,
        selection=tally.selection,
        seed=draws.seed,
        draws=drawn / inputs,
        max_draws=passes(max_draws(last), tally.n0, tally.selection),
        stopping={
            name: last.provenance.parameters[name]
            for name in ("until", "futility", "time")
            if name in last.provenance.parameters
        },
        ended=dict(ended),
        budget=rule.budget.of(components),
        nonfinite=nonfinite,
        rows=rows,
        categories=by_category.categories(),
        taus=dict(zip(rule.taus, radii, strict=True)),
        curve=whole,
        class_names=tuple(last.provenance.contract.get("class_names", ())),
        sentence=summarise_guarantee(
            rule=rule,
            controls=decision.controls,
            perturbation=draws.perturbation,
            unit=tally.unit,
            components=components,
            kind=tally.kind,
            radius=own_radius,
            radii=None if whole is None else whole.radius_range,
            inputs=inputs,
        ),
        statement=guarantee(
            rule=rule,
            controls=decision.controls,
            perturbation=draws.perturbation,
            unit=tally.unit,
            n=max_draws(last),
            n0=tally.n0,
            selection=tally.selection,
            components=components,
            smallest=min(sizes),
            kind=tally.kind,
            radius=own_radius,
            law_error=law_error,
            leak_check=" or ".join(filter(None, leak_checks)),
        ),
        notes=(*merge_similar(warnings), *counted),
        abstentions=explained.found,
    )
