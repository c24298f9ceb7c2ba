"""Planning of a run: draws needed, cost, and the savings of a budget or of interim looks."""

from onnxcert.planning.pilot import VoteRates
from onnxcert.planning.plan import Plan, PlanRequest
from onnxcert.planning.scheme import votes_needed
from onnxcert.planning.speed import measure_speed

__all__ = [
    "Plan",
    "PlanRequest",
    "VoteRates",
    "measure_speed",
    "votes_needed",
]
