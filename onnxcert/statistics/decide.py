"""The decision procedures: from a tally to a certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Tally
from onnxcert.statistics.baselines import indivclass, jointclass, predict
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.compatibility import check_combination
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.segcertify import segcertify

PROCEDURES: Final[dict[str, Callable[[Tally, Rule], Certificate]]] = {
    procedure.__name__: procedure for procedure in (segcertify, indivclass, jointclass, predict)
}


def decide(tally: Tally, rule: Rule | None = None) -> Certificate:
    """Compute the certificate of a tally: a pure function of the tally and the rule.

    With probability at least 1 - alpha no certified class is wrong (FWER), or no more than the
    budget (k-FWER); see `Certificate.statement`. The whole rule must be fixed before the draws are
    seen.

    Raises:
        ParameterError: parts of the rule are not compatible with each other or with this tally.
    """
    rule = Rule() if rule is None else rule
    check_procedure(rule.procedure)
    check_combination(rule, tally.selection)
    if tally.ended and rule.schedule is None and not rule.hindsight:
        raise ParameterError(
            f"this count ended early at a look ({tally.ended}), so one test of {tally.n} draws is "
            "not valid; decide it under the looks it was counted with."
        )
    return PROCEDURES[rule.procedure](tally, rule)


def check_procedure(name: str) -> None:
    """Raise ParameterError unless `name` is a procedure."""
    if name not in PROCEDURES:
        raise ParameterError(f"the procedure must be one of {', '.join(PROCEDURES)}, got {name!r}.")
