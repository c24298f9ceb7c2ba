"""The designs: all permitted combinations, with numbers for which the tests are nearly exact.

With few draws a discrete test may stay far below its level and hide a mistake of a factor of two.
So n, tau and the components' probabilities were searched for such that the exact rate under the
worst dependence is at least 90 % of alpha (98 % where one tau is tested), at alpha and at 1.25
alpha. alpha is always 0.1: few repetitions suffice to distinguish a rate of 0.125 from it.
"""

from __future__ import annotations

from typing import Any, Final

from onnxcert.sampling.tally import Selection
from onnxcert.simulation.designs import Design
from onnxcert.statistics.rule import Budget, Rule, Schedule

ALPHA: Final = 0.1
MANY: Final = 61
VERY_MANY: Final = 201
BONFERRONI, HOLM = "bonferroni", "holm"
KFWER, STEPDOWN, YEKUTIELI = "kfwer", "kfwer-stepdown", "benjamini-yekutieli"


def design(
    correction: str,
    selection: Selection,
    n: int,
    n0: int,
    two: tuple[float, ...],
    *,
    taus: tuple[float, ...],
    certain: int = 0,
    b: int = 0,
    claim: float | None = None,
    law_error: float = 0.0,
    note: str = "",
    **further: Any,
) -> Design:
    """Build a design and its name."""
    rule = Rule(
        tau=taus[0],
        more_taus=taus[1:],
        alpha=ALPHA,
        correction=correction,
        budget=Budget(str(b)),
        **further,
    )
    parts = [
        f"{correction} b = {b}" if b else correction,
        selection,
        f"tau {', '.join(f'{tau:g}' for tau in taus)}",
        f"n {n}, n0 {n0}, N {len(two) + certain}",
    ]
    if rule.radius_map:
        parts.append("radius map")
    if rule.schedule is not None:
        looks = " ".join(map(str, rule.schedule.looks or ("auto",)))
        parts.append(f"looks {looks}, {rule.schedule.spending}")
    if claim is not None and len(taus) > 1:
        parts.append(f"share at {claim:g}")
    if law_error:
        parts.append(f"law error {law_error:g}")
    if note:
        parts.append(note)
    return Design(
        name="; ".join(parts),
        rule=rule,
        selection=selection,
        n=n,
        n0=n0,
        two=two,
        certain=certain,
        claim=claim,
        law_error=law_error,
    )


def one_tau() -> list[Design]:
    """Return designs of each correction with each selection, at one tau.

    Split at 1/2: either class is selected equally often, and neither exceeds tau. Pooled with
    n0 = n: the candidate is the winner of the same votes it is tested on. With certain components
    the others reach the later steps of a step-down procedure.
    """
    null, half, low = (0.75,), (0.5,), (0.6,)
    return [
        design(BONFERRONI, "split", 566, MANY, null * 4, taus=null),
        design(BONFERRONI, "split", 394, 9, half * 4, taus=half),
        design(BONFERRONI, "pooled", 566, 566, null * 4, taus=null),
        design(BONFERRONI, "pooled", 497, 497, half * 4, taus=half),
        design(HOLM, "split", 566, MANY, null * 4, taus=null, certain=4),
        design(HOLM, "pooled", 415, 415, low * 4, taus=low, certain=4),
        design(KFWER, "split", 566, MANY, null * 8, taus=null, b=1),
        design(KFWER, "split", 509, MANY, null * 9, taus=null, b=2),
        design(KFWER, "pooled", 566, 566, null * 8, taus=null, b=1),
        design(KFWER, "pooled", 509, 509, null * 9, taus=null, b=2),
        design(STEPDOWN, "split", 566, MANY, null * 8, taus=null, certain=4, b=1),
        design(STEPDOWN, "split", 420, MANY, null * 6, taus=null, certain=6, b=2),
        design(STEPDOWN, "pooled", 415, 415, low * 8, taus=low, certain=4, b=1),
        design(STEPDOWN, "pooled", 325, 325, low * 6, taus=low, certain=6, b=2),
        design(YEKUTIELI, "split", 642, MANY, null * 6, taus=null),
        design(YEKUTIELI, "pooled", 1041, 1041, low * 6, taus=low),
        design(YEKUTIELI, "split", 642, MANY, null * 6, taus=null, certain=2),
    ]


def several_tau() -> list[Design]:
    """Return designs of several tau, with null components at each tau.

    A component certified above its own probability is wrong. Step-down corrections test the
    components not certified at the largest tau at every tau (closed testing), so components that
    are null at either tau share alpha. With k > 1 the earlier errors of a group count only at the
    largest tau, where the group is null; groups at the smaller tau spend less.
    """
    near, far = (0.6, 0.7), (0.6, 0.75)
    one = (0.6,) + 3 * (0.75,)
    two = 2 * (0.6,) + 6 * (0.7,)
    found: list[Design] = []
    choices: tuple[tuple[Selection, int], ...] = (("split", VERY_MANY), ("pooled", 0))
    for selection, n0 in choices:
        first = 3 * (0.6,) + 3 * (0.7,)
        found += [
            design(BONFERRONI, selection, 679, n0 or 679, first, taus=near),
            design(KFWER, selection, 484, n0 or 484, 4 * (0.6,) + 4 * (0.7,), taus=near, b=1),
            design(HOLM, selection, 566, n0 or 566, one, taus=far, certain=2),
            design(STEPDOWN, selection, 562, n0 or 562, two, taus=near, certain=2, b=1),
        ]
        n = 642 if selection == "split" else 1041
        found += [
            design(YEKUTIELI, selection, n, n0 or n, (0.6,) * 6, taus=far),
            design(YEKUTIELI, selection, n, n0 or n, (0.75,) * 6, taus=far, claim=0.75),
        ]
    return found


def radius_maps() -> list[Design]:
    """Return designs of radius maps; a component is wrong if its bound reaches its probability."""
    spread = (0.621, 0.654, 0.683, 0.708, 0.729, 0.748)
    return [
        design(
            BONFERRONI, "split", 500, VERY_MANY, spread, taus=(0.6,), radius_map=True, floor=0.6
        ),
        design(BONFERRONI, "pooled", 500, 500, spread, taus=(0.6,), radius_map=True, floor=0.6),
    ]


def looks() -> list[Design]:
    """Return designs under interim looks; the error is to ever cross, the worst stopping rule.

    Pooled at 1/2, where each of the two classes spends half of the level, and at 3/4, where the
    larger one spends nearly all of it.
    """
    found = []
    split = {"equal": 350, "pocock": 495, "obrien-fleming": 425}
    pooled = {"equal": 395, "pocock": 377, "obrien-fleming": 534}
    for correction, b, size in ((BONFERRONI, 0, 4), (KFWER, 1, 8)):
        for spending, n in split.items():
            schedule = Schedule(n, (n // 2, 3 * n // 4, n), spending)
            found.append(
                design(
                    correction, "split", n, MANY, (0.75,) * size,
                    taus=(0.75,), b=b, schedule=schedule,
                )
            )  # fmt: skip
        for tau, draws in ((0.5, pooled), (0.75, split)):
            for spending, n in draws.items():
                schedule = Schedule(n, (n // 2, 3 * n // 4, n), spending)
                found.append(
                    design(
                        correction, "pooled", n, n // 2, (tau,) * size,
                        taus=(tau,), b=b, schedule=schedule,
                    )
                )  # fmt: skip
        schedule = Schedule(464, (232, 348, 464))
        both = (0.6,) * size + (0.75,) * size
        found.append(
            design(
                correction, "split", 464, VERY_MANY, both,
                taus=(0.6, 0.75), b=b, schedule=schedule,
            )
        )  # fmt: skip
        found.append(
            design(
                correction, "pooled", 464, 232, both,
                taus=(0.6, 0.75), b=b, schedule=schedule,
            )
        )  # fmt: skip
    return found


def misled() -> list[Design]:
    """Return designs with wrong candidates (small n0, or a class just above tau loses).

    Their rates are below alpha.
    """
    few = [
        design(BONFERRONI, "pooled", 497, n0, (0.5,) * 4, taus=(0.5,)) for n0 in (1, 10, 100)
    ] + [design(HOLM, "pooled", 415, 10, (0.6,) * 4, taus=(0.6,), certain=4)]
    over, half = (0.510001,), (0.500001,)
    note = "a class just exceeds tau"
    return [
        *few,
        design(BONFERRONI, "pooled", 497, 497, half * 4, taus=(0.5,), note=note),
        design(HOLM, "pooled", 497, 497, half * 4, taus=(0.5,), note=note),
        design(HOLM, "pooled", 518, 518, over * 4, taus=(0.51,), certain=8, note=note),
        design(HOLM, "split", 518, 5, over * 4, taus=(0.51,), certain=8, note=note),
        design(STEPDOWN, "pooled", 518, 518, over * 4, taus=(0.51,), certain=8, b=1, note=note),
        design(YEKUTIELI, "pooled", 518, 518, over * 4, taus=(0.51,), certain=4, note=note),
    ]


def floors() -> list[Design]:
    """Return designs of pooled votes with a smallest tau of 1/2, which both classes may reach.

    Only a small part of the level can be used there, so 1.25 alpha is not detected; a rule that
    forgets the other class errs with twice alpha.
    """
    found = [
        design(BONFERRONI, "pooled", 497, 497, (0.5,) * 4, taus=(0.5,), radius_map=True, floor=0.5),
        design(BONFERRONI, "pooled", 497, 497, (0.5,) * 4, taus=(0.5, 0.75)),
    ]
    for correction, b, size, n in ((BONFERRONI, 0, 4, 454), (KFWER, 1, 8, 714)):
        schedule = Schedule(n, (n // 2, 3 * n // 4, n))
        found.append(
            design(
                correction, "pooled", n, n // 2, (0.5,) * size + (0.75,) * 2,
                taus=(0.5, 0.75), b=b, schedule=schedule,
            )
        )  # fmt: skip
    return found


def law_errors() -> list[Design]:
    """Return designs with a large law error, by all of which the computed votes are too high."""
    null, delta = (0.75,), 0.02
    spread = (0.621, 0.654, 0.683, 0.708, 0.729, 0.748)
    return [
        design(HOLM, "split", 649, MANY, null * 4, taus=null, certain=4, law_error=delta),
        design(BONFERRONI, "pooled", 649, 649, null * 4, taus=null, law_error=delta),
        design(
            HOLM, "pooled", 649, 649, (0.6,) + 3 * null,
            taus=(0.6, 0.75), certain=2, law_error=delta,
        ),
        design(
            BONFERRONI, "split", 815, VERY_MANY, spread,
            taus=(0.6,), radius_map=True, floor=0.6, law_error=delta,
        ),
    ]  # fmt: skip


def all_designs() -> list[Design]:
    """Return all designs."""
    return [
        *one_tau(),
        *several_tau(),
        *radius_maps(),
        *looks(),
        *law_errors(),
        *floors(),
        *misled(),
    ]
