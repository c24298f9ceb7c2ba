"""What the options leave open is chosen by what goes with the rest."""

from __future__ import annotations

from typing import Any

import pytest

from onnxcert.api.rules import make_rule
from onnxcert.statistics import check_combination


def test_one_class_for_the_whole_input_has_its_radius_told_unless_something_else_is_asked() -> None:
    rule = make_rule(100, whole=True)
    assert (rule.radius_map, rule.tau, rule.correction) == (True, 0.5, "bonferroni")
    assert make_rule(100, whole=True, floor=0.6).taus == (0.6,)
    assert make_rule(100, whole=True, tau=(0.8,)).taus == (0.8,)
    assert not make_rule(100).radius_map
    assert make_rule(100).tau == 0.75


@pytest.mark.parametrize(
    "said",
    [
        {"looks": (50,)},
        {"looks": "auto"},
        {"procedure": "predict"},
        {"correction": "holm"},
        {"budget": "2%"},
        {"tau": (0.6, 0.75)},
    ],
)
def test_the_radius_of_a_whole_input_gives_way_to_what_does_not_go_with_it(
    said: dict[str, Any],
) -> None:
    for whole in (True, False):
        rule = make_rule(100, whole=whole, **said)
        assert not rule.radius_map
        check_combination(rule, "pooled")
    assert make_rule(100, whole=True, **said) == make_rule(100, **said)


@pytest.mark.parametrize(
    ("said", "correction"),
    [
        ({}, "holm"),
        ({"budget": "2%"}, "kfwer-stepdown"),
        ({"looks": "auto"}, "bonferroni"),
        ({"looks": "auto", "budget": "3"}, "kfwer"),
        ({"radius_map": True}, "bonferroni"),
        ({"procedure": "predict"}, "bonferroni"),
        ({"correction": "benjamini-yekutieli"}, "benjamini-yekutieli"),
    ],
)
def test_the_correction_left_open_is_the_strongest_that_goes_with_the_rest(
    said: dict[str, Any], correction: str
) -> None:
    rule = make_rule(100, **said)
    assert rule.correction == correction
    check_combination(rule, "pooled")


@pytest.mark.parametrize(("scope", "inputs"), [("input", 1), ("dataset", 7)])
def test_inputs_share_alpha_only_where_the_scope_says_so(scope: str, inputs: int) -> None:
    assert make_rule(100, inputs=7, alpha_scope=scope).inputs == inputs
