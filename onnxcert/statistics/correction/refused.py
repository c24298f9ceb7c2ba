"""Known procedures that must not back a certificate, with the reason."""

from __future__ import annotations

from typing import Final

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
