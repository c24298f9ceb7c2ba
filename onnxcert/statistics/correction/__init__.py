"""Multiple-testing procedures that may back a certificate, and those that must not.

All are valid under *any* dependence between components, because the dependence between the errors
of neighbouring pixels cannot be verified. Add a new procedure as one file and one line here.
"""

from collections.abc import Iterable
from typing import Final

from onnxcert.errors import ParameterError, suggest
from onnxcert.statistics.correction.base import Correction
from onnxcert.statistics.correction.benjamini_yekutieli import BenjaminiYekutieli
from onnxcert.statistics.correction.familywise import SingleStep, StepDown

__all__ = ["CORRECTIONS", "REFUSED", "Correction", "get_correction", "refusal_reason"]


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
    (
        SingleStep("bonferroni", "FWER"),
        StepDown("holm", "FWER"),
        SingleStep("kfwer", "k-FWER"),
        StepDown("kfwer-stepdown", "k-FWER"),
        BenjaminiYekutieli(),
    )
)

_PIXELS: Final = "which cannot be verified for the pixels of an image or the points of a shape"

REFUSED: Final[dict[str, str]] = {
    "hochberg": "Hochberg's step-up procedure needs independent or positively dependent p-values "
    f"(Simes' inequality), {_PIXELS}; use holm",
    "hommel": "Hommel's procedure needs independent or positively dependent p-values (Simes' "
    f"inequality), {_PIXELS}; use holm",
    "sidak": f"Sidak's levels need independent or positively orthant dependent errors, {_PIXELS}, "
    "and gain almost nothing; use bonferroni or holm",
    "simes": f"Simes' test needs independent or positively dependent p-values, {_PIXELS}, and it "
    "does not say which components are certified; use holm",
    "fdr_bh": "the Benjamini-Hochberg procedure needs independent or positively dependent "
    f"p-values, {_PIXELS}; use benjamini-yekutieli, which needs neither",
}

_SPELLINGS: Final = {
    "simes-hochberg": "hochberg",
    "holm-sidak": "sidak",
    "bh": "fdr_bh",
    "benjamini-hochberg": "fdr_bh",
    "fdr_tsbh": "fdr_bh",
    "fdr_tsbky": "fdr_bh",
}


def refusal_reason(name: str) -> str | None:
    """Return why `name` may not back a certificate; None if it is not a refused procedure."""
    key = name.lower()
    return REFUSED.get(_SPELLINGS.get(key, key))


def get_correction(name: str) -> Correction:
    """Return the correction called `name`.

    Raises:
        ParameterError: `name` is unknown, or may not back a certificate (the reason is given).
    """
    if name in CORRECTIONS:
        return CORRECTIONS[name]
    if reason := refusal_reason(name):
        raise ParameterError(f"{name} cannot back a certificate: {reason}.")
    raise ParameterError(
        f"the correction must be one of {', '.join(CORRECTIONS)}, got {name!r}"
        f"{suggest(name, CORRECTIONS)}"
    )
