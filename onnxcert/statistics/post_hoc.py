"""Requested changes of a stored rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from onnxcert.sampling.tally import Selection
from onnxcert.statistics.correction import get_correction
from onnxcert.statistics.rule import AlphaScope, Budget, Rule

# Used in the sentence "as ... was chosen after the votes had been counted".
NAMES: Final = {
    "alpha": "alpha",
    "alpha_scope": "the scope of alpha",
    "inputs": "the number of inputs that share alpha",
    "correction": "the correction",
    "budget": "the budget",
    "procedure": "the procedure",
    "tau": "tau",
    "radius_map": "the radius map",
    "floor": "the floor of the radius map",
    "schedule": "the looks",
    "closed_testing": "how several tau share alpha",
}
_TAUS: Final = frozenset({"tau", "radius_map", "floor", "procedure"})


def find_post_hoc_changes(stored: Rule, rule: Rule, selection: Selection) -> tuple[str, ...]:
    """Return the post hoc changes from `stored` to `rule` that void the level.

    `stored` was fixed before drawing. A rule chosen after the votes were seen keeps the level if,
    for all votes, each of its claims belongs to a set of claims that (a) was fixed by `stored`
    alone and (b) holds as a whole with probability 1 - alpha (for k-FWER: except for the budget).
    The sets are:

    1. The claims of `stored` itself. Any of its several tau may come first (and so be shown), under
       every correction and under interim looks. None may be dropped: the boundaries and the
       shares of alpha belong to all of them, and an expected share (FDR) holds for what was to be
       reported, not for the best of it.
    2. A radius map claims, for each component, *every* tau from its floor up to its bound. The
       bounds hold together, so any tau from the floor on may be chosen. The map itself must stay:
       under pooled selection the test of one tau alone is not among its claims, since that test
       uses the level that the map reserves for directional errors.
    3. Under split selection a single-step correction (Bonferroni, and kfwer with its budget) tests
       each component at k alpha / N at any tau, and by `OneSidedLevel` an error at any tau has
       probability at most k alpha / N. So all tau, the radius map, its floor, and
       IndivClass (the smallest of these bounds) may be chosen, for any stored tau.

    Everything else voids the level:

    - alpha, its scope and the inputs that share it: a larger alpha certifies more than alpha
      covers, and a smaller one claims more than was tested, for components selected by the votes.
    - the correction, even if the new one certifies fewer: under split selection Bonferroni's claims
      at other tau are not among Holm's, and the next change would start from them.
    - the budget: it is part of the claim.
    - tau in all other cases: Holm's and step-down k-FWER's levels at one tau depend on how many
      components pass at that tau.
    - the looks: the level was spent over exactly these.

    A level that is void stays void: earlier changes stay in the list.

    Args:
        stored: may already have a `hindsight`.
        rule: the new rule; its own `hindsight` is ignored.
        selection: where the candidates come from.

    Returns:
        Names of the changes, as in `Rule.hindsight`; empty if the level holds.
    """
    changed = [name for name in NAMES if _differs(name, stored, rule)]
    if changed and _TAUS.issuperset(changed) and _free_tau(stored, rule, selection):
        changed = []
    if "radius_map" in changed and "floor" in changed:
        changed.remove("floor")
    new = tuple(NAMES[name] for name in changed)
    return (*stored.hindsight, *(name for name in new if name not in stored.hindsight))


def _differs(name: str, a: Rule, b: Rule) -> bool:
    if name == "tau":
        return set(a.taus) != set(b.taus)
    if name == "floor":
        # Without a radius map the rule has no floor.
        return (a.radius_map or b.radius_map) and a.floor != b.floor
    if name == "closed_testing":
        # It only applies to several tau, and a changed correction is listed itself.
        both = a.more_taus and b.more_taus and a.correction == b.correction
        return bool(both) and a.closed_testing != b.closed_testing
    return bool(getattr(a, name) != getattr(b, name))


def _free_tau(stored: Rule, rule: Rule, selection: Selection) -> bool:
    """Return whether the tau of `rule` may be chosen post hoc; only `_TAUS` differ."""
    procedures = {stored.procedure, rule.procedure}
    if stored.schedule is not None or not procedures <= {"segcertify", "indivclass"}:
        return False
    if selection == "split" and not get_correction(stored.correction).stepwise:
        return True
    return (
        stored.radius_map
        and rule.radius_map
        and rule.floor == stored.floor
        and procedures == {"segcertify"}
    )


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
