"""Scores and abstention of the shapes of a run, by category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from onnxcert.errors import StoreError
from onnxcert.metrics.part_iou import PartScores, PartTally
from onnxcert.results.record import Record


@final
@dataclass(frozen=True)
class Category:
    """One category of shapes, over the inputs of a run.

    Attributes:
        shapes: number of inputs of this category.
        abstain: share of their components that are not certified, for each tau of the rule.
    """

    shapes: int
    abstain: tuple[float, ...]


@final
class ByCategory:
    """Accumulator of scores by category; keeps a few numbers per category and no array.

    The category of an input is `provenance.input["category"]`; its parts come from the contract.
    If the contract has no categories, nothing is accumulated.
    """

    def __init__(self) -> None:
        self._parts: dict[str, tuple[int, ...]] = {}
        self._tallies: dict[str, PartTally] = {}
        self._shapes: dict[str, int] = {}
        self._components: dict[str, int] = {}
        self._abstained: dict[str, list[int]] = {}
        self._inputs = self._unknown = self._unscored = 0

    def add(self, record: Record, matrices: Mapping[str, npt.NDArray[np.int64]]) -> None:
        """Count one input.

        Args:
            record: its record.
            matrices: its confusion matrices by row of the table; empty without ground truth.

        Raises:
            StoreError: the categories in the record's contract are invalid.
        """
        if not self._inputs:
            self._parts = _read_categories(record)
        self._inputs += 1
        if not self._parts:
            return
        name = record.provenance.input.get("category", "")
        if name not in self._parts:
            self._unknown += 1
            return
        decision = record.decision
        before = self._abstained.get(name, [0] * len(decision.abstained))
        self._abstained[name] = [a + b for a, b in zip(before, decision.abstained, strict=True)]
        self._shapes[name] = self._shapes.get(name, 0) + 1
        self._components[name] = self._components.get(name, 0) + decision.components
        scored = True
        if record.provenance.contract.get("task") == "classification":
            return  # a classified shape has no parts
        for row, matrix in matrices.items():
            tally = self._tallies.setdefault(row, PartTally())
            # All rows share the ground truth: either all have an IoU or none has.
            scored = tally.add(name, self._parts[name], matrix)
        self._unscored += not scored

    def scores(self) -> dict[str, PartScores]:
        """Return the IoU scores by row of the table, for rows in which any shape has an IoU."""
        found = {row: tally.scores(tuple(self._parts)) for row, tally in self._tallies.items()}
        return {row: scores for row, scores in found.items() if scores is not None}

    def categories(self) -> dict[str, Category]:
        """Return the categories that occur, in the order of the contract."""
        return {
            name: Category(
                shapes=self._shapes[name],
                abstain=tuple(a / self._components[name] for a in self._abstained[name]),
            )
            for name in self._parts
            if name in self._shapes
        }

    def notes(self) -> list[str]:
        """Return notes on the shapes that are left out of the scores."""
        out = "left out of instance and class IoU"
        notes = []
        if self._unknown:
            notes.append(
                f"without a category that the model's contract names: {self._unknown} of "
                f"{self._inputs} shapes, {out} and of the table by category"
            )
        if self._unscored:
            notes.append(
                f"without a point labelled as a part of its category: {self._unscored} of "
                f"{self._inputs} shapes, {out}"
            )
        return notes


def _read_categories(record: Record) -> dict[str, tuple[int, ...]]:
    """Return name -> part classes from the contract's ``[[name, [classes ...]], ...]``."""
    stored = record.provenance.contract.get("categories") or ()
    try:
        found = {name: tuple(parts) for name, parts in stored}
    except (TypeError, ValueError):
        found = {"": ()}
    if not all(_is_valid(name, parts, record.tally.classes) for name, parts in found.items()):
        raise StoreError(
            f"expected the categories in the contract of {record.name} as [name, [classes from 0 "
            f"to {record.tally.classes - 1}]], got {stored!r:.80}; run onnxcert verify to find the "
            "change."
        )
    return found


def _is_valid(name: Any, parts: tuple[Any, ...], classes: int) -> bool:
    numbers = all(type(part) is int and 0 <= part < classes for part in parts)
    return isinstance(name, str) and bool(parts) and numbers
