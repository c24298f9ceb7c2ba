"""What goes together is accepted, everything else refused with its reason in one sentence."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from refusals import one_sentence

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Selection
from onnxcert.statistics import PROCEDURES, check_combination
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.rule import Budget, Rule, Schedule

LOOKS = Schedule(1000)
BASELINES = sorted(PROCEDURES.keys() - {"segcertify"})


@pytest.mark.parametrize(
    ("asked", "selection", "reason"),
    [
        *(
            ({"budget": Budget("4"), "correction": name}, "pooled", "a budget of 4 wrong")
            for name in ("bonferroni", "holm", "benjamini-yekutieli")
        ),
        (
            {"correction": "benjamini-yekutieli", "alpha_scope": "dataset", "inputs": 3},
            "pooled",
            "bounds an expected share, which cannot be split between inputs",
        ),
        *(
            ({"radius_map": True, "correction": name}, "pooled", "bounds do not hold for all tau")
            for name in CORRECTIONS
            if name != "bonferroni"
        ),
        *(
            ({"schedule": LOOKS, "correction": name}, "split", "not known at a look")
            for name in CORRECTIONS
            if CORRECTIONS[name].stepwise
        ),
        (
            {"schedule": LOOKS, "correction": "bonferroni", "radius_map": True},
            "pooled",
            "cannot be combined with a radius map",
        ),
        (
            {"schedule": Schedule(10, None, "linear"), "correction": "bonferroni"},
            "pooled",
            "spending must be one of",
        ),
        *(
            ({"procedure": name, "correction": "bonferroni", **more}, selection, reason)
            for name, selection in (
                ("indivclass", "split"),
                ("jointclass", "split"),
                ("predict", "pooled"),
            )
            for more, reason in (
                ({"schedule": LOOKS}, "looks need"),
                ({"radius_map": True}, "a radius map needs"),
                ({"more_taus": (0.9,)}, "several tau need"),
                ({"correction": "kfwer", "budget": Budget("1%")}, "a budget needs"),
                ({"correction": "holm"}, "use --correction bonferroni"),
                ({"correction": "kfwer"}, "use --correction bonferroni"),
            )
        ),
        ({"procedure": "indivclass", "correction": "bonferroni"}, "pooled", "--selection split"),
        ({"procedure": "jointclass", "correction": "bonferroni"}, "pooled", "--selection split"),
        ({"procedure": "predict", "correction": "bonferroni"}, "split", "--selection pooled"),
        ({"correction": "hommel"}, "pooled", "cannot back a certificate"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused_with_its_reason(
    asked: dict[str, Any], selection: Selection, reason: str
) -> None:
    with one_sentence(ParameterError) as caught:
        check_combination(Rule(**asked), selection)
    said = str(caught.value)
    assert reason in said
    assert said.count(". ") == 0


def test_every_other_combination_is_accepted() -> None:
    """All of correction x budget x map x looks x several tau x selection, against the rule said in
    DESIGN: looks and maps with single-step levels, maps under Bonferroni alone."""
    accepted = 0
    for name, budget, radius_map, looks, taus, selection in itertools.product(
        CORRECTIONS, ("0", "2"), (False, True), (None, LOOKS), ((), (0.9,)), ("pooled", "split")
    ):
        rule = Rule(
            correction=name,
            budget=Budget(budget),
            radius_map=radius_map,
            schedule=looks,
            more_taus=taus,
        )
        fits = (
            (budget == "0" or name.startswith("kfwer"))
            and (not radius_map or (name == "bonferroni" and looks is None))
            and (looks is None or name in ("bonferroni", "kfwer"))
        )
        if fits:
            check_combination(rule, selection)  # type: ignore[arg-type]
            accepted += 1
        else:
            with pytest.raises(ParameterError):
                check_combination(rule, selection)  # type: ignore[arg-type]
    assert accepted == 4 * (5 + 2 + 1 + 3)


def test_baselines_are_accepted_where_they_are_valid() -> None:
    for name in BASELINES:
        selection: Selection = "pooled" if name == "predict" else "split"
        check_combination(Rule(procedure=name, correction="bonferroni"), selection)
