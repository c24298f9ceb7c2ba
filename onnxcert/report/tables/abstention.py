"""The abstention of stored records, and the paragraphs about it under a run's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, final

import numpy as np

from onnxcert.planning.abstention import Abstention, add_abstentions, explain_votes
from onnxcert.results.record import Record

# Inputs and components whose votes are read for a table: enough for a share, and read in a second.
SOME: Final = 64
_MOST_COMPONENTS: Final = 2**24


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


@final
class ExplainedInputs:
    """The explained inputs of a run: all, or a limited number that is evenly spread.

    Args:
        limit: largest number of inputs; None for all, 0 for none.

    Attributes:
        found: name of the input -> its abstention.
    """

    def __init__(self, limit: int | None) -> None:
        self.found: dict[str, Abstention] = {}
        self._limit = limit
        self._inputs, self._step = 0, 1

    def add(self, record: Record) -> None:
        """Explain the record if it is one of those to explain."""
        chosen = self._limit != 0 and self._inputs % self._step == 0
        self._inputs += 1
        if not chosen:
            return
        self.found[record.name] = explain_record(record)
        while self._limit is not None and self._are_too_many(self._limit):
            # Keep every second one, and from now on explain half as many.
            self.found = dict(list(self.found.items())[::2])
            self._step *= 2

    def _are_too_many(self, limit: int) -> bool:
        components = sum(each.components for each in self.found.values())
        return len(self.found) > limit or (len(self.found) > 1 and components > _MOST_COMPONENTS)


def describe_run(abstentions: Mapping[str, Abstention], inputs: int) -> str:
    """Return a paragraph about all explained inputs of a run of this many; empty for none."""
    if not abstentions:
        return ""
    text = str(add_abstentions(abstentions.values()))
    few = len(abstentions) < inputs
    return f"In {len(abstentions)} of {inputs} inputs, {text}" if few and text else text


def describe_inputs(abstentions: Mapping[str, Abstention]) -> list[str]:
    """Return a line for each input of which some components abstain."""
    return [f"{name}: {found}" for name, found in abstentions.items() if found.abstained]
