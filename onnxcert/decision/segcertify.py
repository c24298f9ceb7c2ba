"""SegCertify: from a tally to a certificate (Fischer, Baader, Vechev 2021, Algorithm 3)."""

from __future__ import annotations

import numpy as np

from onnxcert.correction import CORRECTIONS, Correction
from onnxcert.decision.family import Family
from onnxcert.decision.planning import can_certify, smallest_n
from onnxcert.decision.pvalues import p_values
from onnxcert.errors import ParameterError
from onnxcert.result import ABSTAIN, AlphaScope, Certificate, Tally


def decide(
    tally: Tally,
    *,
    tau: float = 0.75,
    alpha: float = 0.001,
    correction: str = "holm",
    alpha_scope: AlphaScope = "input",
    inputs: int = 1,
) -> Certificate:
    """Certify each component whose candidate exceeds tau, abstain on the others.

    With probability at least 1 - alpha no certified class of this input (with `alpha_scope`
    "dataset": of any of the `inputs` inputs, alpha / inputs each) is wrong. tau, alpha and the
    correction must be fixed before the draws are seen.

    Args:
        tally: the votes.
        tau: in [1/2, 1).
        alpha: in (0, 1).
        correction: a name in `onnxcert.correction.CORRECTIONS`.
        alpha_scope: what alpha is shared by.
        inputs: number of inputs in the data set, fixed beforehand; 1 or more.

    Raises:
        ParameterError: one of the above is out of range.
    """
    share = alpha_per_input(alpha, alpha_scope, inputs)
    family = Family(tally.components, tau, share, correction_named(correction), tally.selection)
    threshold = family.correction.threshold(
        p_values(tally.n, tau, tally.selection),
        tally.histogram,
        share,
        reserve=family.reserve(tally.n),
    )
    certified = tally.hits >= threshold
    labels = np.where(certified, tally.candidate.astype(np.int32), np.int32(ABSTAIN))
    notes = []
    if not certified.any():
        notes.append(_why_nothing(tally, family))
    return Certificate(
        labels=labels,
        radius=tally.perturbation.radius(tau),
        tau=tau,
        alpha=alpha,
        alpha_scope=alpha_scope,
        inputs=inputs,
        correction=correction,
        threshold=threshold,
        tally=tally,
        notes=tuple(notes),
    )


def alpha_per_input(alpha: float, alpha_scope: AlphaScope, inputs: int) -> float:
    """The level of one input: alpha, or alpha / inputs when the data set shares it."""
    if alpha_scope not in ("input", "dataset"):
        raise ParameterError(f"the alpha scope must be input or dataset, got {alpha_scope!r}.")
    if inputs < 1:
        raise ParameterError(f"a data set has at least 1 input, got {inputs}.")
    return alpha / inputs if alpha_scope == "dataset" else alpha


def correction_named(name: str) -> Correction:
    """The correction called `name`.

    Raises:
        ParameterError: there is none.
    """
    try:
        return CORRECTIONS[name]
    except KeyError:
        raise ParameterError(
            f"the correction must be one of {', '.join(CORRECTIONS)}, got {name!r}."
        ) from None


def _why_nothing(tally: Tally, family: Family) -> str:
    if not can_certify(family, tally.n):
        try:
            enough = f"{smallest_n(family)} or more can"
        except ParameterError:
            enough = "and no practicable number can"
        return (
            f"everything abstains: {tally.n} draws cannot certify any of {tally.components} "
            f"components, {enough}"
        )
    best = f"the best component got {int(tally.hits.max())} of {tally.n} votes, too few"
    if tally.nonfinite:
        return (
            f"everything abstains: {best}; {tally.nonfinite} votes were withheld because the "
            "model's output was not finite"
        )
    return f"everything abstains: {best}; the model does not keep its answer under this noise"
