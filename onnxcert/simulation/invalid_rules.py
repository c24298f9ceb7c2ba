"""Invalid rules (negative controls), each with votes for which its error rate is too high."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import beta

from onnxcert.sampling.tally import Tally
from onnxcert.simulation import catalogue
from onnxcert.simulation.calibration import InvalidRule
from onnxcert.simulation.components import Ints, tail
from onnxcert.simulation.dependence import draw, exclusive, together
from onnxcert.simulation.designs import Design
from onnxcert.simulation.simulation import Decider, Simulated, simulate, simulate_from
from onnxcert.statistics import Family, decide, p_values
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.rule import Rule


def misprinted_kfwer(rule: Rule) -> Decider:
    """Apply step-down k-FWER with k alpha / (N + 1 - i) instead of k alpha / (N + k - i).

    This tests the remaining N - i + 1 hypotheses at k times Bonferroni's level, the last at
    k alpha.
    """

    def decider(tally: Tally) -> Certificate:
        family = Family.of(rule, tally.components, tally.selection)
        p = p_values(tally.n, rule.tau, tally.selection)[tally.hits]
        i = np.arange(1, family.components + 1)
        left = np.where(i <= family.k, family.components, family.components + 1 - i)
        return _replace_levels(tally, rule, _first_rejected(p, family.k * family.alpha / left))

    return decider


def holm_bounds(rule: Rule) -> Decider:
    """Use the level of Holm's step for a Clopper-Pearson bound of each rejected component.

    Holm's levels are valid for one fixed tau. As confidence levels they add up to
    alpha (1 + 1/2 + ... + 1/N).
    """

    def decider(tally: Tally) -> Certificate:
        p = p_values(tally.n, rule.tau, tally.selection)[tally.hits]
        order = np.argsort(p, kind="stable")
        left = tally.components - np.arange(tally.components)
        rejected = _first_rejected(p, rule.alpha / left)
        levels = np.empty(tally.components)
        levels[order] = rule.alpha / left
        bounds = np.where(rejected > 0, beta.ppf(levels, tally.hits, tally.n - tally.hits + 1), 0.0)
        # A bound below tau is weaker than the test at tau.
        values, place = np.unique(np.maximum(bounds, rule.tau), return_inverse=True)
        level = np.where(rejected > 0, place.reshape(-1) + 1, 0)
        return replace(_replace_levels(tally, rule, level), levels=values, level=level)

    return decider


def _first_rejected(p: np.ndarray, levels: np.ndarray) -> Ints:
    """Return 1 for the p-values that a step-down with `levels` rejects, 0 for the others."""
    order = np.argsort(p, kind="stable")
    passed = np.logical_and.accumulate(p[order] <= levels)
    rejected = np.zeros(len(p), np.int64)
    rejected[order[passed]] = 1
    return rejected


def _replace_levels(tally: Tally, rule: Rule, level: Ints) -> Certificate:
    """Return onnxcert's certificate with other components certified."""
    sound = decide(tally, Rule(tau=rule.tau, alpha=rule.alpha))
    return replace(sound, levels=np.array([rule.tau]), level=level)


def _reach(design: Design, p: float, level: float) -> float:
    """Compute P(p-value at tau = p is at most `level`) for a component of probability p."""
    table = np.append(p_values(design.n, p, "split"), 0.0)
    exact = np.append(tail(design.n, p, "split"), 0.0)
    return float(exact[np.argmax(table <= level)])


def _simulate_pair(design: Design, repetitions: int, seed: int) -> Simulated:
    """Simulate two null components, k = 2: p-values up to alpha and up to 2 alpha, together."""
    rng = np.random.default_rng(seed)
    reach = _reach(design, design.rule.tau, 2.0 * design.rule.alpha)
    return simulate_from(design, draw([together([(2, reach)])], repetitions, rng), rng)


def _simulate_in_order(design: Design, repetitions: int, seed: int) -> Simulated:
    """Simulate exclusive errors: the component with the j-th smallest p errs with alpha / j."""
    rng = np.random.default_rng(seed)
    reaches = [
        _reach(design, p, design.rule.alpha / j) for j, p in enumerate(sorted(design.two), start=1)
    ]
    return simulate_from(design, draw([exclusive(reaches)], repetitions, rng), rng)


def _simulate_exclusive(design: Design, repetitions: int, seed: int) -> Simulated:
    return simulate(design, "exclusive", repetitions, seed)


def _simulate_independent(design: Design, repetitions: int, seed: int) -> Simulated:
    return simulate(design, "independent", repetitions, seed)


def _ignore_selection(rule: Rule) -> Decider:
    """Test the winner of n votes on the same n votes with F_tau."""
    return lambda tally: decide(replace(tally, selection="split"), rule)


def _skip_correction(rule: Rule) -> Decider:
    """Test every component at alpha."""

    def decider(tally: Tally) -> Certificate:
        return decide(tally, rule.but(alpha=0.99 * rule.alpha * tally.components))

    return decider


def _test_each_look(rule: Rule) -> Decider:
    """Test at each look as if it were the only one."""

    def decider(tally: Tally) -> Certificate:
        assert tally.path is not None
        level = rule.alpha / tally.components
        reached = [
            p_values(n, rule.tau, tally.selection)[hits] <= level
            for n, hits in zip(tally.looks, tally.path, strict=True)
        ]
        return replace(
            decide(tally, rule),
            levels=np.array([rule.tau]),
            level=np.any(reached, axis=0).astype(np.uint8),
        )

    return decider


def _ignore_law_error(rule: Rule) -> Decider:
    """Test at tau itself, as if computed votes had the distribution of the theorem."""
    return lambda tally: decide(replace(tally, law_error=0.0), rule)


def _spread() -> Design:
    spread = (0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
    return catalogue.design(
        "bonferroni", "split", 1500, 201, spread, taus=(0.6,), radius_map=True, floor=0.6
    )


def _two_of_four() -> Design:
    return catalogue.design(
        "kfwer-stepdown", "split", 566, 61, (0.75,) * 2, taus=(0.75,), certain=2, b=1
    )


def all_invalid_rules() -> list[InvalidRule]:
    """Return all invalid rules."""
    at_one_tau, under_looks = catalogue.one_tau(), catalogue.looks()
    return [
        InvalidRule(
            "INVALID RULE: k-FWER step-down with k alpha / (N + 1 - i)",
            _two_of_four(),
            "two together, the second up to 2 alpha",
            _simulate_pair,
            misprinted_kfwer,
        ),
        InvalidRule(
            "INVALID RULE: Holm's levels as simultaneous confidence bounds",
            _spread(),
            "exclusive, alpha / j in the j-th place",
            _simulate_in_order,
            holm_bounds,
        ),
        InvalidRule(
            "INVALID RULE: pooled votes, split p-value",
            at_one_tau[3],
            "exclusive",
            _simulate_exclusive,
            _ignore_selection,
        ),
        InvalidRule(
            "INVALID RULE: components tested one by one",
            at_one_tau[0],
            "independent",
            _simulate_independent,
            _skip_correction,
        ),
        InvalidRule(
            "INVALID RULE: a fixed-n test at every look",
            under_looks[0],
            "independent",
            _simulate_independent,
            _test_each_look,
        ),
        InvalidRule(
            "INVALID RULE: votes off by a law error, tested at tau",
            catalogue.law_errors()[0],
            "exclusive",
            _simulate_exclusive,
            _ignore_law_error,
        ),
    ]
