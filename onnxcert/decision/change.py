"""Requested changes of a stored rule."""

from __future__ import annotations

from dataclasses import dataclass

from onnxcert.correction import get_correction
from onnxcert.rule import AlphaScope, Budget, Rule


@dataclass(frozen=True, kw_only=True)
class RuleChange:
    """Values that replace those of a stored rule; None keeps the stored value."""

    taus: tuple[float, ...] | None = None
    alpha: float | None = None
    alpha_scope: AlphaScope | None = None
    correction: str | None = None
    budget: str | None = None
    procedure: str | None = None
    radius_map: bool | None = None
    floor: float | None = None

    def apply(self, stored: Rule, inputs: int) -> Rule:
        """Return the changed rule, with an empty `hindsight`.

        Missing values follow as in a new run: a budget selects k-FWER, a radius map Bonferroni.
        If all requested tau are among the stored ones, they come first and the other stored tau
        stay: without them it would be another rule.

        Args:
            stored: the rule of the results.
            inputs: number of inputs, used if they share alpha now.

        Raises:
            ParameterError: a number is out of range.
        """
        taus = stored.taus if self.taus is None else self.taus
        if not stored.radius_map and set(taus) <= set(stored.taus):
            taus = (*taus, *(tau for tau in stored.taus if tau not in taus))
        procedure = self.procedure or stored.procedure
        radius_map = stored.radius_map if self.radius_map is None else self.radius_map
        correction = self.correction or self._correction(stored, procedure)
        tolerant = get_correction(correction).controls == "k-FWER"
        budget = stored.budget if self.budget is None else Budget(self.budget)
        if self.budget is None and not tolerant:
            budget = Budget()
        scope = self.alpha_scope or stored.alpha_scope
        shared = stored.inputs if scope == stored.alpha_scope else inputs
        return stored.but(
            tau=taus[0],
            more_taus=taus[1:],
            alpha=stored.alpha if self.alpha is None else self.alpha,
            alpha_scope=scope,
            inputs=shared if scope == "dataset" else 1,
            correction=correction,
            budget=budget,
            procedure=procedure,
            radius_map=radius_map,
            floor=stored.floor if self.floor is None else self.floor,
            hindsight=(),
        )

    def _correction(self, stored: Rule, procedure: str) -> str:
        """Return the default correction."""
        if self.radius_map or (self.procedure and procedure != "segcertify"):
            return "bonferroni"
        tolerant = get_correction(stored.correction).controls == "k-FWER"
        if self.budget and Budget(self.budget) and not tolerant:
            return "kfwer-stepdown" if stored.schedule is None else "kfwer"
        return stored.correction
