"""The whole calibration: all designs, all rules that do not hold, as a table and as files."""

from __future__ import annotations

import csv
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from onnxcert._version import __version__
from onnxcert.atomic import write_atomically
from onnxcert.errors import ParameterError
from onnxcert.study import catalogue, exposed
from onnxcert.study.calibration import SUSPICION, Unsound, number_of_rows, rows
from onnxcert.study.designs import Design
from onnxcert.study.evidence import COLUMNS, Row, cells, markdown
from onnxcert.study.watching import Quiet, Steps

REPETITIONS: Final = 20_000
FEWEST: Final = 100
_LIBRARIES: Final = ("numpy", "scipy", "matplotlib")


def calibrate(
    *,
    repetitions: int = REPETITIONS,
    seed: int = 0,
    designs: Sequence[Design] | None = None,
    unsound: Sequence[Unsound] | None = None,
    steps: Steps | None = None,
) -> list[Row]:
    """Every design under every joint law; without arguments the long form.

    Raises:
        ParameterError: too few repetitions.
    """
    if repetitions < FEWEST:
        raise ParameterError(f"at least {FEWEST} repetitions are needed, got {repetitions}.")
    designs = catalogue.everything() if designs is None else designs
    unsound = exposed.everything() if unsound is None else unsound
    steps = Quiet() if steps is None else steps
    steps.begin("calibrate", number_of_rows(designs, unsound))
    found = []
    for row in rows(designs, unsound, repetitions, seed):
        found.append(row)
        steps.step()
    return found


def summary(found: Sequence[Row], repetitions: int) -> str:
    """What was found, in one line."""
    wrong = [row for row in found if not row.as_it_should_be]
    sharp = sum(row.must_show for row in found)
    foreign = sum(row.unsound for row in found)
    said = (
        f"{len(found)} rows of {repetitions} repetitions: {len(found) - foreign} of onnxcert's "
        f"own rules, {sharp} of them sharp enough to expose 1.25 alpha, and {foreign} that do "
        "not hold"
    )
    if not wrong:
        return f"{said}; all as it should be."
    return (
        f"{said}; NOT as it should be: {len(wrong)}, the first: {wrong[0].design} (with few "
        "repetitions a rule at 1.25 alpha cannot be told from a sound one, which counts as well)."
    )


def document(found: Sequence[Row], *, command: str, date: str, repetitions: int) -> str:
    """The evidence as a Markdown page."""
    return _PAGE.format(
        command=command,
        date=date,
        versions=", ".join(f"{name} {number}" for name, number in versions().items()),
        repetitions=repetitions,
        suspicion=SUSPICION,
        summary=summary(found, repetitions),
        table=markdown(found),
    )


def write_csv(path: Path, found: Sequence[Row]) -> None:
    """The same table for a program."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *map(cells, found)])

    write_atomically(path, write)


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    return {
        "onnxcert": __version__,
        "Python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
    }


_PAGE: Final = """# Calibration

Votes with known probabilities, decided by the program's own `decide`: how often is what alpha
bounds (a wrong certificate; k of them; the share of wrong ones) exceeded?

- command: `{command}`
- date: {date}
- versions: {versions}
- repetitions: {repetitions} of each row
- {summary}

*dependence*: components independent; in independent *blocks*; *exclusive*: at most one errs at a
time, which makes the union bound sharp; *together*: k err at a time or none does, groups of k
exclude each other, which makes Markov's inequality sharp; *windows*: r components have just the
p-value that is rejected in a company of r, which makes Benjamini-Yekutieli's bound sharp.

*exact* is the true rate, computed where it can be. *p-value* is of "the rate is alpha or less",
exact binomial. Below {suspicion:g} a rule is rejected; a rule whose rate does not fit *exact* fails
as well. *at 1.25 alpha* is the rate of the same rule run at 1.25 alpha, under the law that is worst
for it, tested against alpha: the test has to reject it wherever the law is sharp. Under looks
nobody stops: certified is whoever ever crossed, the worst that a stopping rule can do. Rows that
begin with NOT OURS are rules in use elsewhere; the row above each is onnxcert's own rule on the
same votes.

Not covered: alpha shared by a data set and budgets given as a share, which are arithmetic on top of
these rules; IndivClass, JointClass and PREDICT; and the reserve for errors of direction, whose
absence no law here exposes (exact tests and the proof hold it).

{table}"""
