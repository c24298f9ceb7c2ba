"""Whether n draws can certify anything at all, and how many would."""

from __future__ import annotations

import math

from onnxcert.decision.family import Family
from onnxcert.decision.pvalues import p_values
from onnxcert.errors import ParameterError
from onnxcert.result import LARGEST_N


def can_certify(family: Family, n: int) -> bool:
    """Whether n draws certify a component that gets all n votes when no other is certified."""
    unanimous = p_values(n, family.tau, family.selection)[n]
    return bool(unanimous <= family.alpha / family.components)


def smallest_n(family: Family) -> int:
    """Smallest n at which a unanimous component can be certified.

    tau^n <= alpha / N is necessary, so the search starts at ln(N / alpha) / ln(1 / tau).

    Raises:
        ParameterError: more than ten million draws would be needed.
    """
    bound = math.log(family.components / family.alpha) / -math.log(family.tau)
    if bound > LARGEST_N:
        raise ParameterError(
            f"about {bound:.2g} draws would be needed to certify {family.components} components "
            f"at tau {family.tau:g} and alpha {family.alpha:g}; lower tau or raise alpha."
        )
    n = max(1, math.floor(bound))
    while not can_certify(family, n):  # a few times at most: p(n) is below 2 tau^n
        n += 1
    return n
