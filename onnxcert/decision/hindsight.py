"""What of a rule may be chosen after the votes were seen, and what voids the level."""

from __future__ import annotations

from typing import Final

from onnxcert.correction import correction_named
from onnxcert.result import Selection
from onnxcert.rule import Rule

# In the words of the sentence "as ... was chosen after the votes had been counted".
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


def hindsight(stored: Rule, rule: Rule, selection: Selection) -> tuple[str, ...]:
    """What `rule` changes in `stored`, the rule fixed before drawing, so that its level is void.

    A rule that is chosen after looking keeps the level if, whatever the votes, each claim it makes
    is among claims that all hold together with probability 1 - alpha (for k-FWER: all but the
    budget), and this set of claims was fixed by `stored` alone. The sets are:

    1. The claims of `stored` itself. Which of its several tau comes first, and so is shown, is
       free under every correction and under looks; none may be dropped, as the boundaries and the
       shares of alpha belong to all of them, and an expected share (FDR) holds for what was to be
       reported and not for what looks best.
    2. A radius map claims, for each component, *every* tau from its floor up to its bound. The
       bounds hold together, so any tau from the floor on is free. The map itself stays: under
       pooled selection the test of one tau alone is not among its claims, since it uses up the
       level that the map keeps for errors of direction.
    3. Under split selection a single-step correction (Bonferroni, and kfwer with its budget) tests
       each component at k alpha / N at any tau, and by `onnxcert.decision.bounds` an error at any
       tau whatever has probability k alpha / N at most. So all tau, the radius map, its floor, and
       IndivClass, which is the smallest of these bounds, are free, whatever tau was stored.

    Everything else voids the level:

    - alpha, its scope and the inputs that share it: a larger alpha certifies what alpha did not
      cover, and a smaller one claims, of components picked by the votes, more than was tested.
    - the correction, also for one that certifies fewer: under split selection Bonferroni's claims
      at other tau are not among Holm's, and the next change would start from them.
    - the budget: it is what is claimed.
    - tau in all other cases: Holm's and step-down k-FWER's levels at one tau depend on how many
      components pass at that tau.
    - the looks: the level was spent over just these.

    What voided the level before still does: it stays in the list.

    Args:
        stored: may have a hindsight of its own.
        rule: what is decided by now; its own hindsight is not looked at.
        selection: where the candidates come from.

    Returns:
        names of what was chosen too late, as `Rule.hindsight` has them; empty if the level holds.
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
        # Without a map the floor is no part of the rule.
        return (a.radius_map or b.radius_map) and a.floor != b.floor
    if name == "closed_testing":
        # With one tau, or under another correction, it is no part of the rule.
        both = a.more_taus and b.more_taus and a.correction == b.correction
        return bool(both) and a.closed_testing != b.closed_testing
    return bool(getattr(a, name) != getattr(b, name))


def _free_tau(stored: Rule, rule: Rule, selection: Selection) -> bool:
    """Whether the tau of `rule` may be chosen freely, all but tau and its like being as stored."""
    procedures = {stored.procedure, rule.procedure}
    if stored.schedule is not None or not procedures <= {"segcertify", "indivclass"}:
        return False
    if selection == "split" and not correction_named(stored.correction).stepwise:
        return True
    return (
        stored.radius_map
        and rule.radius_map
        and rule.floor == stored.floor
        and procedures == {"segcertify"}
    )
