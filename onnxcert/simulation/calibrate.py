"""The calibration: all designs and all invalid rules, as a table and as files."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Final

from onnxcert._version import __version__
from onnxcert.errors import ParameterError
from onnxcert.simulation import catalogue
from onnxcert.simulation import invalid_rules as exposed
from onnxcert.simulation.calibration import SUSPICION, InvalidRule, Row, build_row, markdown, row
from onnxcert.simulation.designs import Design
from onnxcert.simulation.table import NoProgress, Steps

REPETITIONS: Final = 20_000
FEWEST: Final = 100
_LIBRARIES: Final = ("numpy", "scipy", "matplotlib")


def calibrate(
    *,
    repetitions: int = REPETITIONS,
    seed: int = 0,
    designs: Sequence[Design] | None = None,
    invalid_rules: Sequence[InvalidRule] | None = None,
    steps: Steps | None = None,
) -> list[Row]:
    """Test designs under every dependence structure, and invalid rules; None for all of them.

    Raises:
        ParameterError: there are too few repetitions.
    """
    if repetitions < FEWEST:
        raise ParameterError(f"at least {FEWEST} repetitions are needed, got {repetitions}.")
    designs = catalogue.all_designs() if designs is None else designs
    invalid_rules = exposed.all_invalid_rules() if invalid_rules is None else invalid_rules
    steps = NoProgress() if steps is None else steps
    dependences = sum(len(design.dependences) for design in designs)
    steps.begin("calibrate", dependences + 2 * len(invalid_rules))
    found = []
    for number, design in enumerate(designs):
        for dependence in design.dependences:
            found.append(row(design, dependence, repetitions, seed + number))
            steps.step()
    for number, case in enumerate(invalid_rules, start=len(designs)):
        votes = case.votes(case.design, repetitions, seed + number)
        for decider in (None, case.rule(case.design.rule)):
            failures = votes.failures(decider)
            found.append(build_row(case.design, case.dependence, failures, None, seed))
            steps.step()
        found[-1] = replace(found[-1], design=case.name, invalid=True)
    return found


def summary(found: Sequence[Row], repetitions: int) -> str:
    """Summarise the rows in one line."""
    wrong = [row for row in found if not row.as_expected]
    sharp = sum(row.must_detect for row in found)
    foreign = sum(row.invalid for row in found)
    text = (
        f"{len(found)} rows of {repetitions} repetitions: {len(found) - foreign} of onnxcert's "
        f"own rules, {sharp} of them sharp enough to detect 1.25 alpha, and {foreign} of invalid "
        "rules"
    )
    if not wrong:
        return f"{text}; all as expected."
    return (
        f"{text}; NOT as expected: {len(wrong)}, the first: {wrong[0].design} (with few "
        "repetitions a rule at 1.25 alpha is not detected, which counts as well)."
    )


def document(found: Sequence[Row], *, command: str, date: str, repetitions: int) -> str:
    """Return the results as a Markdown page."""
    return _PAGE.format(
        command=command,
        date=date,
        versions=", ".join(f"{name} {number}" for name, number in versions().items()),
        repetitions=repetitions,
        suspicion=SUSPICION,
        summary=summary(found, repetitions),
        table=markdown(found),
    )


def versions() -> dict[str, str]:
    """Return the versions of the software that the numbers depend on."""
    return {
        "onnxcert": __version__,
        "Python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
    }


_PAGE: Final = """# Calibration

Votes with known probabilities are decided by onnxcert's own `decide`. How often does the error
occur that alpha bounds (a wrong certificate; k wrong certificates; the share of wrong ones)?

- command: `{command}`
- date: {date}
- versions: {versions}
- repetitions: {repetitions} of each row
- {summary}

*dependence* of the errors of the components: *independent*; independent *blocks*; *exclusive*: at
most one errs at a time, so the union bound is sharp; *together*: k err at a time or none does, and
groups of k exclude each other, so Markov's inequality is sharp; *windows*: r components have
exactly the p-value that is rejected if r are rejected, so Benjamini-Yekutieli's bound is sharp.

*exact* is the true rate, where it can be computed. *p-value* is that of an exact binomial test of
"the rate is at most alpha". Below {suspicion:g} a rule is rejected. A rule whose rate differs from
*exact* fails, too. *at 1.25 alpha* is the rate of the same rule run at 1.25 alpha, under the
dependence that is worst for it, tested against alpha: the test must reject it wherever the
dependence is sharp. Under interim looks nothing stops early: a component is certified if it ever
crossed its boundary, which is the worst case of all stopping rules. Rows that begin with INVALID
RULE are rules in use elsewhere; the row above each is onnxcert's own rule on the same votes.

Not covered: alpha shared by a data set and budgets given as a share, which are arithmetic on top of
these rules; IndivClass, JointClass and PREDICT; and the reserve for directional errors, whose
absence no dependence here detects (it is covered by exact tests and the proof).

{table}"""
