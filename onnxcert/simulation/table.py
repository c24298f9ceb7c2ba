"""Rows of a figure's numbers, written as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

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


def write_csv(path: Path, rows: Sequence[Any]) -> None:
    """Write dataclass rows of one type, with one column for each field."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([field.name for field in fields(rows[0])])
            writer.writerows(_line(row) for row in rows)

    write_atomically(path, write)


def _line(row: Any) -> Iterator[str]:
    for value in asdict(row).values():
        yield f"{value:.6g}" if isinstance(value, float) else str(value)
