"""Multiple-testing procedures that may back a certificate.

All are valid under *any* dependence between components, because the dependence between the errors
of neighbouring pixels cannot be verified. Add a new procedure as one file and one line here.
"""

from collections.abc import Iterable
from typing import Final

from onnxcert.errors import ParameterError
from onnxcert.statistics.correction.base import Correction
from onnxcert.statistics.correction.benjamini_yekutieli import BenjaminiYekutieli
from onnxcert.statistics.correction.bonferroni import Bonferroni
from onnxcert.statistics.correction.holm import Holm
from onnxcert.statistics.correction.kfwer import KFwer, KFwerStepDown
from onnxcert.statistics.correction.refused import REFUSED, refusal_reason


def build_registry(corrections: Iterable[Correction]) -> dict[str, Correction]:
    """Return the procedures by name.

    Raises:
        ParameterError: a procedure is not valid under any dependence.
    """
    found = {}
    for correction in corrections:
        if correction.dependence != "any":
            raise ParameterError(
                f"a correction must be valid under any dependence between components to back a "
                f"certificate, but {correction.name} is valid under {correction.dependence}."
            )
        found[correction.name] = correction
    return found


CORRECTIONS: Final[dict[str, Correction]] = build_registry(
    (Bonferroni(), Holm(), KFwer(), KFwerStepDown(), BenjaminiYekutieli())
)


def get_correction(name: str) -> Correction:
    """Return the correction called `name`.

    Raises:
        ParameterError: `name` is unknown, or may not back a certificate (the reason is given).
    """
    if name in CORRECTIONS:
        return CORRECTIONS[name]
    if reason := refusal_reason(name):
        raise ParameterError(f"{name} cannot back a certificate: {reason}.")
    raise ParameterError(f"the correction must be one of {', '.join(CORRECTIONS)}, got {name!r}.")


__all__ = [
    "CORRECTIONS",
    "REFUSED",
    "BenjaminiYekutieli",
    "Bonferroni",
    "Correction",
    "Holm",
    "KFwer",
    "KFwerStepDown",
    "build_registry",
    "get_correction",
    "refusal_reason",
]
