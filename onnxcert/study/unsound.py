"""Invalid rules that are in use elsewhere: negative controls of the calibration.

None of them backs a certificate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import beta

from onnxcert.decision import Family, decide, p_values
from onnxcert.result import Certificate, Tally
from onnxcert.rule import Rule
from onnxcert.study.components import Ints
from onnxcert.study.simulation import Decider


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
