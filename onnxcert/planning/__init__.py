"""Planning of a run: draws needed, cost, and the savings of a budget or of interim looks."""

from onnxcert.planning.pilot import VoteRates
from onnxcert.planning.plan import Plan, PlanRequest
from onnxcert.planning.scheme import Scheme
from onnxcert.planning.speed import Speed, measure_speed
from onnxcert.planning.votes import smallest_useful_n, votes_at_looks, votes_needed

__all__ = [
    "Plan",
    "PlanRequest",
    "Scheme",
    "Speed",
    "VoteRates",
    "measure_speed",
    "smallest_useful_n",
    "votes_at_looks",
    "votes_needed",
]
