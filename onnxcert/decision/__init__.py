"""Decisions from votes: p-values, bounds, boundaries, feasibility and the procedures."""

from onnxcert.correction import get_correction
from onnxcert.decision.boundaries import boundaries
from onnxcert.decision.bounds import OneSidedLevel
from onnxcert.decision.combination import check_combination
from onnxcert.decision.family import Family, tested_tau
from onnxcert.decision.leak_check import min_leak_shares
from onnxcert.decision.planning import (
    can_certify,
    can_certify_at_a_look,
    resolve_looks,
    smallest_n,
)
from onnxcert.decision.procedures import PROCEDURES, check_procedure, decide
from onnxcert.decision.pvalues import p_values
from onnxcert.decision.spending import SPENDING
from onnxcert.decision.thresholds import thresholds

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
