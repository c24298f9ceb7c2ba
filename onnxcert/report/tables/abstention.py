"""The abstention of stored records, and the paragraphs about it under a run's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from onnxcert.planning.abstention import Abstention, explain_votes
from onnxcert.results.record import Record


def explain_record(record: Record) -> Abstention:
    """Explain the abstention of a record from its votes and its stored decision.

    Raises:
        ParameterError: the votes are impossible, e.g. more hits than draws.
    """
    decision, tally = record.decision, record.tally
    candidate = np.asarray(tally.candidate[...])
    # Read nothing that the explanation does not use: large runs are reported often.
    votes = replace(
        tally,
        candidate=candidate,
        hits=np.asarray(tally.hits[...]),
        single=np.asarray(tally.single[...]) if tally.nonfinite else candidate,
        runner_up=None if tally.runner_up is None else np.asarray(tally.runner_up[...]),
        looks=(),
        path=None,
    )
    # As in `Certificate.certified_at`.
    below = np.searchsorted(np.asarray(record.levels[...]), decision.tau, side="left")
    return explain_votes(
        votes,
        decision.rule,
        np.asarray(record.level[...]) > below,
        decision.thresholds[0],
        record.provenance.contract.get("class_names", ()),
    )


def describe_inputs(abstentions: Mapping[str, Abstention]) -> list[str]:
    """Return a line for each input of which some components abstain."""
    return [f"{name}: {found}" for name, found in abstentions.items() if found.abstained]
