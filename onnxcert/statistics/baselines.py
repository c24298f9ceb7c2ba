"""Baselines for SegCertify: IndivClass, JointClass, and PREDICT of Cohen et al.

Records store the notes and `verify` compares them: their wording must not change.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.stats import binom

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Tally
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.family import Family
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.thresholds import lower_bounds


def indivclass(tally: Tally, rule: Rule) -> Certificate:
    """Run CERTIFY on each component at alpha / N and certify the smallest radius for all.

    Fischer, Baader, Vechev 2021, Section 4 (the naive extension): the Clopper-Pearson bounds hold
    together by the union bound. All components abstain if a single bound is below 1/2.
    """
    rule_of_bounds = rule.but(tau=0.5)
    family = Family.of(rule_of_bounds, tally.components, tally.selection, tally.law_error)
    bounds = lower_bounds(rule_of_bounds, family, tally.n)
    weakest = float(bounds[int(tally.hits.min())])
    certified = weakest > 0.0
    return Certificate(
        tally=tally,
        rule=rule,
        controls="FWER",
        levels=np.array([rule.tau]),
        level=np.full(tally.hits.shape, int(certified), dtype=np.uint8),
        thresholds=(int(np.argmax(bounds > 0.0)) if bounds.any() else tally.n + 1,),
        # The smallest radius of all components, not the radius of tau.
        own_radius=tally.perturbation.radius(weakest) if certified else 0.0,
        notes=()
        if certified
        else (
            f"everything abstains: one component got {int(tally.hits.min())} of {tally.n} votes, "
            "and IndivClass certifies all components or none",
        ),
    )


def jointclass(tally: Tally, rule: Rule) -> Certificate:
    """Test the whole label map as one class.

    Fischer, Baader, Vechev 2021, Section 4 (the naive extension). A draw is a hit if every
    component votes for its candidate; the hits are tested once at alpha. The candidate map has the
    most frequent class of each component. If any map has the majority, it is this one.

    Raises:
        ParameterError: the tally has no count of draws in which all components agree.
    """
    if tally.joint is None:
        raise ParameterError(
            "jointclass needs the number of draws in which all components agree with their "
            "candidates; count with --selection split."
        )
    family = Family.of(rule, 1, tally.selection, tally.law_error)
    histogram = np.bincount([tally.joint], minlength=tally.n + 1)
    threshold = family.threshold(tally.n, histogram)
    certified = tally.joint >= threshold
    return Certificate(
        tally=tally,
        rule=rule,
        controls="FWER",
        levels=np.array([rule.tau]),
        level=np.full(tally.hits.shape, int(certified), dtype=np.uint8),
        thresholds=(threshold,),
        notes=()
        if certified
        else (
            f"everything abstains: {tally.joint} of {tally.n} draws agree in all "
            f"{tally.components} components, {threshold} would be needed",
        ),
    )


def predict(tally: Tally, rule: Rule) -> Certificate:
    """Run PREDICT: find the class that is most likely under noise at the input itself.

    Cohen, Rosenfeld, Kolter 2019, Section 3.2.1: let n_A and n_B be the votes of the two leading
    classes. A two-sided binomial test of n_A in n_A + n_B at alpha / N is wrong with probability
    at most alpha / N (Hung and Fithian 2019). No radius is certified.

    There is no tau to which the law error delta could be added. Instead, the n computed draws are
    coupled with n exact draws. They differ in any component with probability at most n delta. The
    tests use the rest of alpha, `alpha_for_predictions`.

    Raises:
        ParameterError: the tally has no votes of the second class.
    """
    if tally.runner_up is None or tally.n0 != tally.n:
        raise ParameterError(
            "predict needs the votes of the two leading classes over all draws; count with "
            "--procedure predict."
        )
    family = Family.of(rule.but(tau=0.5), tally.components, tally.selection)
    left = alpha_for_predictions(family.alpha, tally.n, tally.law_error)
    level = replace(family, alpha=left).single_level if left > 0.0 else 0.0
    first = tally.hits.astype(np.int64)
    both = first + tally.runner_up
    p = np.minimum(2.0 * binom.sf(first - 1, both, 0.5) * (1.0 + 1e-11), 1.0)
    certified = (level > 0.0) & (p <= level) & (first > tally.runner_up)
    return Certificate(
        tally=tally,
        rule=rule,
        controls="FWER",
        levels=np.array([rule.tau]),
        level=certified.astype(np.uint8),
        thresholds=(math.ceil(tally.n / 2),),
        own_radius=0.0,
        notes=() if certified.any() else (_explain_no_prediction(rule, tally),),
    )


def alpha_for_predictions(alpha: float, n: int, law_error: float) -> float:
    """Return the part of alpha left for PREDICT's tests, rounded down; 0 if none is left.

    >>> alpha_for_predictions(0.001, 100, 0.0), round(alpha_for_predictions(0.001, 100, 1e-6), 6)
    (0.001, 0.0009)
    """
    return max(0.0, alpha * (1.0 - 1e-12) - n * law_error * (1.0 + 1e-12)) if law_error else alpha


def _explain_no_prediction(rule: Rule, tally: Tally) -> str:
    if alpha_for_predictions(rule.alpha_per_input, tally.n, tally.law_error) > 0.0:
        return "everything abstains: no class leads clearly"
    return (
        f"everything abstains: {tally.n} draws with the law error {tally.law_error:.3g} take all "
        f"of alpha {rule.alpha_per_input:.3g}; count fewer draws or raise alpha"
    )
