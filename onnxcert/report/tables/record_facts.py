"""Facts of a record that all records of its run share."""

from __future__ import annotations

from typing import Any

from onnxcert.model.contract.modality import Modality
from onnxcert.results.record import Record
from onnxcert.sampling.tally import Component


def run_settings(record: Record) -> tuple[Any, ...]:
    """Return the parameters that all records of one run share."""
    tally, draws = record.tally, record.tally.draws
    return (
        *(draws.perturbation, draws.seed, draws.generator),
        *(max_draws(record), tally.n0, tally.selection, tally.unit, tally.kind),
        *(record.decision.rule, record.decision.controls),
        record.provenance.model.get("sha256"),
    )


def element_word(record: Record) -> str:
    """Return the table's word for one component."""
    if Component.parse(record.tally.kind).element.is_whole:
        return "input"
    if not is_cloud(record):
        return "pixel"
    return "input" if record.provenance.contract.get("task") == "classification" else "point"


def is_cloud(record: Record) -> bool:
    """Return whether the input is a point cloud."""
    return record.provenance.contract.get("medium") == Modality.POINTS


def max_draws(record: Record) -> int:
    """Return the number of tested draws; with interim looks, the maximum."""
    schedule = record.decision.rule.schedule
    return record.tally.n if schedule is None else schedule.n
