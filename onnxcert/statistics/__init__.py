"""Decisions from votes: p-values, bounds, boundaries, feasibility and the procedures."""

from onnxcert.statistics.boundaries import boundaries
from onnxcert.statistics.bounds import OneSidedLevel
from onnxcert.statistics.compatibility import check_combination
from onnxcert.statistics.correction import get_correction
from onnxcert.statistics.decide import PROCEDURES, check_procedure, decide
from onnxcert.statistics.family import Family, tested_tau
from onnxcert.statistics.leak_bound import min_leak_shares
from onnxcert.statistics.pvalues import p_values
from onnxcert.statistics.sample_size import (
    can_certify,
    can_certify_at_a_look,
    resolve_looks,
    smallest_n,
)
from onnxcert.statistics.spending import SPENDING
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
    "check_procedure",
    "decide",
    "get_correction",
    "min_leak_shares",
    "p_values",
    "resolve_looks",
    "smallest_n",
    "tested_tau",
    "thresholds",
]
