"""The rule: exact budgets, looks that make sense, and nothing lost on the way to a file."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from refusals import one_sentence

from onnxcert.errors import ParameterError
from onnxcert.statistics.rule import STEP_DOWN, Budget, Rule, Schedule

TAUS = st.floats(0.5, 1.0, exclude_max=True)
SCHEDULES = st.one_of(
    st.builds(Schedule, st.integers(1, 200_000), st.none(), st.sampled_from(["equal", "pocock"])),
    st.sets(st.integers(1, 10**5), min_size=1, max_size=8).map(
        lambda looks: Schedule(max(looks), tuple(sorted(looks)))
    ),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    taus = draw(st.lists(TAUS, min_size=1, max_size=4, unique=True))
    scope = draw(st.sampled_from(["input", "dataset"]))
    mapped = draw(st.booleans())
    return Rule(
        tau=taus[0],
        more_taus=tuple(taus[1:]),
        alpha=draw(st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)),
        alpha_scope=scope,
        inputs=draw(st.integers(1, 10**6)) if scope == "dataset" else 1,
        correction=draw(st.sampled_from([*STEP_DOWN, "bonferroni", "kfwer", "what may come"])),
        budget=Budget(draw(st.sampled_from(["0", "4", "0.1%", "12.5%"]))),
        procedure=draw(st.sampled_from(["segcertify", "predict"])),
        radius_map=mapped,
        floor=draw(st.floats(0.5, min(taus))) if mapped else 0.5,
        schedule=draw(st.one_of(st.none(), SCHEDULES)),
        hindsight=tuple(draw(st.lists(st.sampled_from(["tau", "alpha"]), unique=True))),
        closed_testing=draw(st.booleans()),
    )


@given(rule=rules())
@examples(300)
def test_a_rule_comes_back_from_json_as_it_was(rule: Rule) -> None:
    again = Rule.from_dict(json.loads(json.dumps(rule.as_dict())))
    assert again == rule if rule.budget else again == rule.but(budget=Budget())


@given(rule=rules(), data=st.data())
@examples(300)
def test_a_rule_in_which_something_has_another_type_is_no_rule(
    rule: Rule, data: st.DataObject
) -> None:
    values = rule.as_dict()
    kept = {"radius_map", "closed_testing", "n"}
    name = data.draw(st.sampled_from(sorted(values.keys() - kept)))
    wrong = {**values, name: data.draw(st.sampled_from([None, True, [{}]]))}
    with pytest.raises((ValueError, ParameterError)):
        Rule.from_dict(wrong)
    if name in ("tau", "alpha", "correction", "alpha_scope"):
        del wrong[name]
        with pytest.raises(ValueError, match="incomplete"):
            Rule.from_dict(wrong)


@pytest.mark.parametrize(
    ("text", "components", "b"),
    [
        ("0.1%", 43_200, 43),
        ("0.1%", 999, 0),
        ("1%", 100, 1),
        ("0.3%", 1000, 3),  # 0.3 / 100 * 1000 is 2.9999... in floating point
        ("0.7%", 1000, 7),
        ("29%", 100, 29),  # 0.29 * 100 is 28.999...
        ("4", 10, 4),
        ("0", 10, 0),
        ("0%", 10, 0),
        ("99.999999999999%", 10**6, 999_999),
    ],
)
def test_a_share_is_rounded_down_exactly(text: str, components: int, b: int) -> None:
    assert Budget(text).of(components) == b
    assert bool(Budget(text)) == (text not in ("0", "0%"))


@given(share=st.decimals(0, Decimal("99.999"), places=3), components=st.integers(1, 10**9))
def test_a_share_is_the_largest_whole_number_below_it(share: Decimal, components: int) -> None:
    b = Budget(f"{share}%").of(components)
    assert b == math.floor(Fraction(share) / 100 * components) < components


@pytest.mark.parametrize(
    "text",
    [
        *("", "%", "-1", "+1", "1.5", "0.1", "100%", "100.0%", "250%", "1e3", "1_000", " 4", "4 "),
        *("4\n", "nan", "inf", ".5%", "5.%", "1/2", "0x4", "4 %", "1" * 13),
    ],
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="the budget must be a number of components such as 4"):
        Budget(text)


@pytest.mark.parametrize(
    "looks", [(), (0, 10), (-5, 10), (5, 5, 10), (6, 5, 10), (5, 9), (5, 11), (11,)]
)
def test_looks_that_do_not_rise_to_n_are_refused(looks: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="increasing numbers of draws that end at n 10"):
        Schedule(10, looks)


def test_a_schedule_has_a_thousand_looks_at_most() -> None:
    assert Schedule(1000, tuple(range(1, 1001))).n == 1000
    with pytest.raises(ParameterError, match="at most 1000 looks are allowed, got 1001"):
        Schedule(1001, tuple(range(1, 1002)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tau": 0.4999}, "tau must be at least 0.5"),
        ({"tau": 1.0}, "tau must be"),
        ({"tau": math.nan}, "tau must be"),
        ({"more_taus": (0.9, 0.3)}, "tau must be"),
        ({"more_taus": (0.75,)}, "several tau must differ"),
        ({"more_taus": tuple(0.5 + j / 1000 for j in range(100))}, "at most 100"),
        ({"alpha": 0.0}, "alpha must lie between"),
        ({"alpha": 1.0}, "alpha must lie between"),
        ({"alpha": math.nan}, "alpha must lie between"),
        ({"alpha_scope": "pixel"}, "alpha scope must be input or dataset"),
        ({"inputs": 0}, "at least 1 input"),
        ({"floor": 0.4}, "the floor of the radius map must be at least 0.5"),
        ({"radius_map": True, "floor": 0.8}, "floor of the radius map must be at most tau"),
        (
            {"radius_map": True, "floor": 0.7, "more_taus": (0.6,)},
            "got floor 0.7 and tau 0.6; lower the floor",
        ),
    ],
    ids=str,
)
def test_a_number_out_of_range_is_refused(wrong: dict[str, Any], said: str) -> None:
    with one_sentence(ParameterError, match=said):
        Rule(**wrong)


def test_a_data_set_shares_alpha() -> None:
    assert Rule(alpha=0.1, inputs=20).alpha_per_input == 0.1
    assert Rule(alpha=0.1, inputs=20, alpha_scope="dataset").alpha_per_input == 0.1 / 20
