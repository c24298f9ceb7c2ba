"""What is asked of a certificate, fixed before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnxcert._typing import Perturbation
from onnxcert.decision import (
    Family,
    alpha_per_input,
    can_certify,
    correction_named,
    decide,
    smallest_n,
)
from onnxcert.errors import ParameterError
from onnxcert.result import AlphaScope, Certificate, Selection, Tally, passes


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every number that a certificate depends on beside the model and the input.

    Args:
        perturbation: noise, and with it the attack ruled out.
        tau: what P(vote = class) must exceed; in [1/2, 1).
        n: draws tested, 1 or more.
        n0: draws the candidate is chosen from, 1 or more.
        alpha: chance that any certificate of the family is wrong; in (0, 1).
        alpha_scope: family of one `input`, or of the `dataset` of `inputs` inputs.
        inputs: number of inputs; matters for the scope `dataset`.
        correction: multiple-testing procedure, by name.
        selection: `pooled` or `split`.

    Raises:
        ParameterError: one of them is out of range.
    """

    perturbation: Perturbation
    tau: float = 0.75
    n: int = 100
    n0: int = 10
    alpha: float = 0.001
    alpha_scope: AlphaScope = "input"
    inputs: int = 1
    correction: str = "holm"
    selection: Selection = "pooled"

    def __post_init__(self) -> None:
        passes(self.n, self.n0, self.selection)
        self.family(1)

    def family(self, components: int) -> Family:
        """The hypotheses of one input with so many components."""
        share = alpha_per_input(self.alpha, self.alpha_scope, self.inputs)
        return Family(
            components, self.tau, share, correction_named(self.correction), self.selection
        )

    def can_certify(self, components: int) -> bool:
        """Whether n draws can certify any of `components` components."""
        return can_certify(self.family(components), self.n)

    def refuse_hopeless(self, components: int) -> None:
        """Raise ParameterError if n is too small to certify any of `components` components."""
        if not self.can_certify(components):
            family = self.family(components)
            raise ParameterError(
                f"n {self.n} is too small: with {components} components, tau {self.tau:g} and "
                f"alpha {family.alpha:.3g} even a unanimous component could not be certified; "
                f"use --n {smallest_n(family)} or more."
            )

    def decide(self, tally: Tally) -> Certificate:
        """The certificate of a tally drawn under these settings."""
        return decide(
            tally,
            tau=self.tau,
            alpha=self.alpha,
            correction=self.correction,
            alpha_scope=self.alpha_scope,
            inputs=self.inputs,
        )

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON values, by the names of the command line's options."""
        shared = {"alpha_inputs": self.inputs} if self.alpha_scope == "dataset" else {}
        return {
            "perturbation": self.perturbation.name,
            **self.perturbation.parameters(),
            "tau": self.tau,
            "n": self.n,
            "n0": self.n0,
            "alpha": self.alpha,
            "alpha_scope": self.alpha_scope,
            **shared,
            "correction": self.correction,
            "selection": self.selection,
        }
