"""Rows of a figure's numbers, written as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Protocol

from onnxcert.files.atomic import write_atomically


class Steps(Protocol):
    """A progress display of tasks with equal steps."""

    def begin(self, what: str, steps: int) -> None:
        """Begin the task `what` of this many steps."""

    def step(self) -> None:
        """Count one more step as done."""


class NoProgress:
    """A progress display that shows nothing."""

    def begin(self, what: str, steps: int) -> None: ...
    def step(self) -> None: ...


@dataclass(frozen=True)
class Share:
    """Mean certified share over some repetitions, and its parameters.

    Attributes:
        components: N.
        n: draws tested.
        n0: draws that chose the candidate.
        gamma: rate of wrong votes.
        certified: mean share of components certified.
    """

    scheme: str
    components: int
    n: int
    n0: int
    gamma: float
    tau: float
    alpha: float
    budget: str
    certified: float
    repetitions: int


@dataclass(frozen=True)
class Need:
    """Mean number of draws that a scheme needs, and the mean share certified with them."""

    scheme: str
    components: int
    draws: float
    certified: float
    repetitions: int


def write_rows(path: Path, rows: Sequence[Share] | Sequence[Need]) -> None:
    """Write rows of one type as CSV, with one column for each field."""
    lines = (asdict(row).values() for row in rows)
    write_csv(
        path,
        [field.name for field in fields(rows[0])],
        ([f"{v:.6g}" if isinstance(v, float) else str(v) for v in line] for line in lines),
    )


def write_csv(path: Path, header: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Write a table as CSV."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *lines])

    write_atomically(path, write)
