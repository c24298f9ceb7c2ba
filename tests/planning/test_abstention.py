"""Why components abstain: the causes are known here, and what is predicted is simulated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from exact import DRAWS
from records import record

from onnxcert.planning import explain_abstention
from onnxcert.planning.abstention import Abstention, Part, add_abstentions
from onnxcert.planning.causes import Cause
from onnxcert.report.tables.abstention import describe_inputs, describe_run, explain_record
from onnxcert.report.tables.summary import summarise
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import decide
from onnxcert.statistics.rule import Budget, Rule, Schedule
from onnxcert.statistics.settings import Settings

N = 100
BONFERRONI = Rule(correction="bonferroni")


def tally_of(hits: Any, n: int = N, selection: Selection = "pooled", **changes: Any) -> Tally:
    hits = np.asarray(hits)
    values: dict[str, Any] = {
        "candidate": np.zeros(hits.shape, np.uint8),
        "single": np.zeros(hits.shape, np.uint8),
        "n0": 1,
        "classes": 3,
        "nonfinite": 0,
    }
    return Tally(hits=hits, n=n, selection=selection, draws=DRAWS, **(values | changes))


def group(rate: float, count: int = 1000, n: int = N) -> npt.NDArray[np.int64]:
    """Hits of components with this hit rate."""
    return np.full(count, round(rate * n))


def explain(tally: Tally, rule: Rule | None = None, names: Any = ()) -> Abstention:
    certificate = decide(tally, rule or BONFERRONI)
    found = explain_abstention(certificate, names)
    assert found.abstained == certificate.abstained
    assert sum(found.causes.values()) == certificate.abstained
    assert found.certified == pytest.approx(1 - certificate.abstain_share)
    return found


def counts(found: Abstention) -> tuple[int, int, int]:
    return tuple(found.causes[cause] for cause in Cause)  # type: ignore[return-value]


# -- the causes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([1.0], (0, 0, 0)),
        ([0.5], (1000, 0, 0)),
        ([0.75], (1000, 0, 0)),  # tau itself is never exceeded
        ([0.92], (0, 1000, 0)),
        ([1.0, 0.92, 0.3, 0.6], (2000, 1000, 0)),
        ([0.92, 0.91], (0, 2000, 0)),
    ],
)
def test_a_low_rate_is_unstable_and_a_high_one_lacks_draws(
    rates: list[float], expected: tuple[int, int, int]
) -> None:
    assert counts(explain(tally_of(np.concatenate([group(rate) for rate in rates])))) == expected


def test_draws_are_lacking_only_where_ten_times_as_many_would_certify() -> None:
    """Simulated: the same rate at ten times the draws, against what is said of it."""
    said = {}
    for percent in range(76, 97):
        found = explain(tally_of(group(percent / 100)))
        if found.abstained:
            said[percent] = found.causes[Cause.FEW_DRAWS] > 0
    ten_times = {p: decide(tally_of(group(p / 100, n=1000), 1000), BONFERRONI) for p in said}
    assert said == {p: certificate.abstained == 0 for p, certificate in ten_times.items()}
    assert set(said.values()) == {True, False}


def test_what_never_gave_a_finite_output_is_told_apart() -> None:
    hits = np.concatenate([group(1.0), group(0.0), group(0.4), group(0.92)])
    single = np.zeros(4000, np.uint8)
    single[1000:2000] = 3  # no class: invalid
    found = explain(tally_of(hits, single=single, nonfinite=1000 * N))
    assert counts(found) == (1000, 1000, 1000)


def test_invalid_votes_that_are_spread_over_all_draws_are_the_cause_too() -> None:
    """A tenth of all draws gave nothing; with these votes every component would be certified."""
    found = explain(tally_of(group(0.9), nonfinite=100 * N))
    assert counts(found) == (0, 0, 1000)
    # The same hits without invalid votes only lack draws.
    assert counts(explain(tally_of(group(0.9)))) == (0, 1000, 0)
    # Invalid votes do not explain components that miss many more.
    assert counts(explain(tally_of(group(0.5), nonfinite=100 * N))) == (1000, 0, 0)


def test_too_few_draws_for_anything_lack_draws() -> None:
    found = explain(tally_of(group(1.0, n=20), 20))
    assert counts(found) == (0, 1000, 0)
    assert found.more_draws is not None
    assert found.more_draws.certified > 0.9
    assert counts(explain(tally_of(group(0.3, n=20), 20))) == (1000, 0, 0)


def test_a_count_of_a_million_draws_is_explained_without_a_prediction() -> None:
    found = explain(tally_of([[400_000]], 1_000_000))
    assert counts(found) == (1, 0, 0)
    assert (found.more_draws, found.smaller_radius) == (None, None)


RULES = [
    Rule(),
    BONFERRONI,
    Rule(correction="kfwer", budget=Budget("1%")),
    Rule(correction="kfwer-stepdown", budget=Budget("30")),
    Rule(correction="benjamini-yekutieli", alpha=0.05),
    Rule(more_taus=(0.6, 0.9)),
    Rule(correction="bonferroni", radius_map=True, floor=0.6),
    Rule(hindsight=("tau",)),
    Rule(alpha_scope="dataset", inputs=20),
    Rule(tau=0.5),
    Rule(tau=0.99),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(sorted(rule.as_dict().items()))[:60])
@pytest.mark.parametrize("selection", ["pooled", "split"])
def test_the_causes_add_up_under_every_rule(rule: Rule, selection: Selection) -> None:
    rng = np.random.default_rng(5)
    rates = rng.choice([1.0, 0.99, 0.95, 0.9, 0.8, 0.5], (30, 40))
    found = explain(tally_of(rng.binomial(N, rates), selection=selection), rule)
    assert str(found)
    for remedy in (found.more_draws, found.smaller_radius):
        if remedy is not None:
            assert found.certified < remedy.certified <= 1
            assert remedy.radius == DRAWS.perturbation.radius(remedy.tau)


def test_the_baselines_and_looks_add_up_too() -> None:
    rng = np.random.default_rng(6)
    hits = rng.binomial(N, rng.choice([1.0, 0.9, 0.6], 500))
    split = tally_of(hits, selection="split", joint=0)
    for procedure in ("indivclass", "jointclass"):
        found = explain(split, BONFERRONI.but(procedure=procedure))
        assert counts(found) == (500, 0, 0)  # the worst component decides for all
    almost = tally_of(np.full(500, 92), selection="split", joint=92)
    for procedure in ("indivclass", "jointclass"):
        found = explain(almost, BONFERRONI.but(procedure=procedure, alpha=1e-12))
        assert sum(counts(found)) in (0, 500)
    second = tally_of(np.maximum(hits, N - hits), n0=N, runner_up=np.minimum(hits, N - hits))
    assert explain(second, BONFERRONI.but(procedure="predict")).abstained > 0
    rule = BONFERRONI.but(schedule=Schedule(200))
    (first, *_) = Settings(perturbation=DRAWS.perturbation, n=200, n0=1, rule=rule).looks(500)
    path = np.minimum(hits, first)[None]
    stopped = tally_of(path[0], first, looks=(first,), path=path, ended="until")
    assert explain(stopped, rule).n == 200


# -- where ---------------------------------------------------------------------------------------


def test_classes_and_borders_are_counted_where_the_answer_changes() -> None:
    candidate = np.zeros((20, 30), np.uint8)
    candidate[:, 15:] = 2
    hits = np.full((20, 30), N)
    hits[:, 14:16] = 50  # both sides of the border
    hits[0, 0] = 40  # one inside
    found = explain(tally_of(hits, candidate=candidate), names=("road", "sky", "tree"))
    assert found.borders == Part(40, 40)
    assert found.classes == {0: Part(300, 21), 2: Part(300, 20)}
    text = str(found)
    assert "road (7 % of it) and tree (6.7 % of it)" in text
    assert "at 100 % of the pixels at borders between classes, and at 0.2 % of the others" in text
    assert "trained with this noise" not in text  # that answers change at borders is no fault
    assert "too few" not in text
    assert "finite" not in text


def test_points_and_whole_inputs_have_no_borders() -> None:
    hits = np.array([40, N, 40])
    assert explain(tally_of(hits, kind="points")).borders is None
    one = explain(tally_of([[40]], kind="the whole picture"))
    assert one.borders is None
    assert str(one) == "The image abstains because the model changes its answer under this noise."


def test_a_multilabel_model_is_counted_by_label() -> None:
    hits = np.full((2, 4, 5), N)
    hits[1] = 40
    found = explain(tally_of(hits, kind="labels x pixels", classes=2), names=("car", "sky"))
    assert found.classes == {0: Part(20, 0), 1: Part(20, 20)}
    assert "mostly in sky (100 % of it)" in str(found)


def test_nothing_abstains_and_nothing_is_said() -> None:
    found = explain(tally_of(group(1.0)))
    assert (str(found), found.abstained, found.more_draws, found.smaller_radius) == (
        "", 0, None, None,
    )  # fmt: skip


def test_the_paragraph_has_the_numbers() -> None:
    hits = np.concatenate([group(1.0, 9000), group(0.92, 700), group(0.5, 300)])
    text = str(explain(tally_of(hits, kind="points")))
    assert text.startswith("10 % of the points abstain: 3 % because the model changes its answer")
    assert "7 % because 100 draws are too few" in text
    assert "What helps: about 200 draws, which would certify 96.1 % instead of 90 %" in text
    assert "fix the setting before it and use a new seed" in text


# -- what would help -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        Rule(),
        BONFERRONI,
        Rule(correction="kfwer-stepdown", budget=Budget("0.1%")),
        Rule(correction="benjamini-yekutieli", alpha=0.01),
        Rule(correction="bonferroni", radius_map=True),
        BONFERRONI.but(schedule=Schedule(N)),
    ],
    ids=lambda rule: f"{rule.correction} {rule.radius_map} {rule.schedule is not None}",
)
@pytest.mark.parametrize("seed", range(3))
def test_the_predicted_share_is_certified_by_new_draws(rule: Rule, seed: int) -> None:
    """Known rates, a run, and then the run that the explanation proposes."""
    rng = np.random.default_rng(seed)
    rates = rng.choice(
        [1.0, 0.98, 0.95, 0.9, 0.86, 0.5], 20_000, p=[0.4, 0.1, 0.2, 0.15, 0.05, 0.1]
    )
    fixed = rule.but(schedule=None)

    def draw(n: int) -> Tally:
        return tally_of(rng.binomial(n, rates), n)

    first = draw(N)
    certificate = decide(first, fixed)
    if rule.schedule is not None:  # all votes are there at the only look taken, the last
        looks = Settings(perturbation=DRAWS.perturbation, n=N, n0=1, rule=rule).looks(20_000)
        path = np.stack([rng.binomial(first.hits, look / N) for look in looks[:-1]] + [first.hits])
        path = np.maximum.accumulate(np.sort(path, axis=0), axis=0)
        steps = np.diff(np.array((0, *looks)))
        for k, step in enumerate(steps):  # no more hits between two looks than draws
            before = path[k - 1] if k else 0
            path[k] = np.minimum(path[k], before + step)
        certificate = decide(replace(first, hits=path[-1], looks=looks, path=path), rule)
    found = explain_abstention(certificate)
    assert found.causes[Cause.FEW_DRAWS] > 1000
    remedy = found.more_draws
    assert remedy is not None
    new = decide(draw(remedy.n), fixed)
    assert 1 - new.abstain_share == pytest.approx(remedy.certified, abs=0.05)
    assert remedy.certified > found.certified + 0.05
    smaller = found.smaller_radius
    assert smaller is not None
    again = decide(draw(smaller.n), fixed.but(tau=smaller.tau))
    assert 1 - again.abstain_share == pytest.approx(smaller.certified, abs=0.05)


# -- several inputs, records -----------------------------------------------------------------------


def test_a_run_is_the_sum_of_its_inputs() -> None:
    a = explain(tally_of(np.concatenate([group(0.92), group(1.0)])), names=("x", "y", "z"))
    b = explain(tally_of(group(0.5)), names=("x", "y", "z"))
    both = add_abstentions([a, b])
    assert (both.inputs, both.components, counts(both)) == (2, 3000, (1000, 1000, 0))
    assert both.votes.hits == {N: {50: 1000, 92: 1000, 100: 1000}}
    assert str(both).startswith("66.7 % of the pixels abstain: 33.3 % because")
    # What one input says does not change when others are added.
    assert counts(a) == (0, 1000, 0)


def test_records_are_explained_as_their_certificates_are() -> None:
    made = [record(f"x{i}", shape=(6, 7 + i), n=100, alpha=0.05) for i in range(2)]
    summary = summarise(made)
    for each in made:
        found = explain_record(each)
        assert found.abstained == each.decision.abstained[0]
        assert counts(found) == counts(explain_abstention(each.certificate()))
        assert str(summary.abstentions[each.name]) == str(found)
    total = add_abstentions(summary.abstentions.values())
    assert total.share(total.abstained) == pytest.approx(summary.rows["certified"].abstain)
    lines = describe_inputs(summary.abstentions)
    assert [line.split(":")[0] for line in lines] == ["x0", "x1"]
    assert summarise(made, explain=0).abstentions == {}


def test_of_many_inputs_some_are_explained_evenly_spread() -> None:
    one = record(n=100, alpha=0.05)
    many = [replace(one, name=f"x{i:03d}") for i in range(150)]
    assert len(summarise(many, explain=None).abstentions) == 150
    some = summarise(many, explain=10).abstentions
    assert list(some) == [f"x{i:03d}" for i in range(0, 150, 16)]
    assert describe_run(some, 150) == f"In 10 of 150 inputs, {add_abstentions(some.values())}"
    assert describe_run(summarise(many[:3]).abstentions, 3).startswith(str(explain_record(one))[:9])
    assert describe_run({}, 3) == ""
