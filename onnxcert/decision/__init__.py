"""From votes to certificates: p-values, the family, planning and the procedure itself."""

from onnxcert.decision.family import Family
from onnxcert.decision.planning import can_certify, smallest_n
from onnxcert.decision.pvalues import p_values
from onnxcert.decision.segcertify import alpha_per_input, correction_named, decide

__all__ = [
    "Family",
    "alpha_per_input",
    "can_certify",
    "correction_named",
    "decide",
    "p_values",
    "smallest_n",
]
