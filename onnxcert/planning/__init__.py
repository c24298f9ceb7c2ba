"""Planning of a run: draws needed, cost, and the savings of a budget or of interim looks."""

from onnxcert.planning.abstention import explain_abstention
from onnxcert.planning.pilot import VoteRates
from onnxcert.planning.plan import Plan, PlanRequest
from onnxcert.planning.scheme import votes_needed

__all__ = [
    "Plan",
    "PlanRequest",
    "VoteRates",
    "explain_abstention",
    "votes_needed",
]
