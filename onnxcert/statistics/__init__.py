"""Decisions from votes: p-values, bounds, boundaries, feasibility and the procedures."""

from onnxcert.statistics.boundaries import SPENDING, boundaries
from onnxcert.statistics.correction import get_correction
from onnxcert.statistics.decide import PROCEDURES, check_combination, decide
from onnxcert.statistics.family import Family, tested_tau
from onnxcert.statistics.leak_bound import min_leak_shares
from onnxcert.statistics.pvalues import OneSidedLevel, p_values
from onnxcert.statistics.sample_size import (
    can_certify,
    can_certify_at_a_look,
    find_boundaries,
    resolve_looks,
    smallest_n,
)
from onnxcert.statistics.thresholds import thresholds

__all__ = [
    "PROCEDURES",
    "SPENDING",
    "Family",
    "OneSidedLevel",
    "boundaries",
    "can_certify",
    "can_certify_at_a_look",
    "check_combination",
    "decide",
    "find_boundaries",
    "get_correction",
    "min_leak_shares",
    "p_values",
    "resolve_looks",
    "smallest_n",
    "tested_tau",
    "thresholds",
]
