"""A plan as one object: votes needed, cost, and the certified share that a pilot predicts."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxcert.planning.plan import Plan
from onnxcert.planning.scheme import Scheme
from onnxcert.report.objects.parts import perturbation_object, rule_object


def plan_object(plan: Plan, *, batch_size: int | None = None) -> dict[str, Any]:
    """Return a plan as JSON values; the first scheme is the requested one.

    Args:
        plan: the plan.
        batch_size: draws per pass, if the speed was measured.
    """
    request, perturbation = plan.request, plan.perturbation
    speed = plan.draws_per_second
    return {
        "components": request.components,
        "inputs": plan.inputs,
        "selection": request.selection,
        "n0": request.n0,
        "perturbation": None if perturbation is None else perturbation_object(perturbation, None),
        "rule": rule_object(request.rule, request.components),
        "speed": None if speed is None else {"draws_per_second": speed, "batch_size": batch_size},
        "pilot_inputs": len(plan.pilot),
        "schemes": [_scheme_object(plan, scheme) for scheme in plan.schemes],
    }


def _scheme_object(plan: Plan, scheme: Scheme) -> dict[str, Any]:
    return {
        "name": scheme.name,
        "rule": rule_object(scheme.rule, scheme.components),
        "taus": [
            {
                "tau": tau,
                "radius": plan.radius(tau),
                "smallest_n": scheme.smallest_n(place),
                "draws": _draws_objects(plan, scheme, place),
            }
            for place, tau in enumerate(plan.taus)
        ],
    }


def _draws_objects(plan: Plan, scheme: Scheme, place: int) -> list[dict[str, Any]]:
    """Return an object for each number of draws at tau number `place`."""
    shares = scheme.certified(plan.pilot, place)
    found = []
    for i, n in enumerate(scheme.draws):
        votes, most = scheme.votes[place][i], scheme.votes_beside_most[place][i]
        each = [share[i] for share in shares]
        seconds = plan.seconds(n)
        found.append(
            {
                "n": n,
                "votes": votes if votes <= n else None,
                "share": votes / n if votes <= n else None,
                "votes_beside_most": most if most <= n else None,
                "certified": {
                    "mean": float(np.mean(each)),
                    "lowest": min(each),
                    "highest": max(each),
                }
                if each
                else None,
                "seconds": None
                if seconds is None
                else {"per_input": seconds, "all_inputs": seconds * plan.inputs},
            }
        )
    return found
