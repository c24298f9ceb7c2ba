"""A choice after looking is covered by what was fixed before, or it is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from profiles import examples

from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import OneSidedLevel, decide
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.post_hoc import NAMES, find_post_hoc_changes
from onnxcert.statistics.rule import Budget, Rule, Schedule

DRAWS = Draws(Gaussian(0.25), 1, "00" * 32)
N = 40

SINGLE = Rule(correction="bonferroni", alpha=0.01)
MAP = SINGLE.but(radius_map=True, floor=0.6)
SEVERAL = SINGLE.but(tau=0.8, more_taus=(0.6, 0.9))
LOOKS = SINGLE.but(schedule=Schedule(N, (20, N)))

taus = st.sampled_from([0.5, 0.6, 0.75, 0.8, 0.9])


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Rules that differ in everything that may be asked again."""
    first, *more = draw(st.lists(taus, min_size=1, max_size=3, unique=True))
    correction = draw(st.sampled_from(["bonferroni", "holm", "kfwer", "kfwer-stepdown"]))
    procedure = draw(st.sampled_from(["segcertify", "segcertify", "indivclass"]))
    budget = draw(st.sampled_from(["0", "2"])) if correction.startswith("kfwer") else "0"
    floor = draw(st.sampled_from([0.5, 0.6]))
    radius_map = correction == "bonferroni" and draw(st.booleans())
    try:
        return Rule(
            tau=first,
            more_taus=tuple(more),
            alpha=draw(st.sampled_from([0.01, 0.2])),
            correction=correction,
            budget=Budget(budget),
            radius_map=radius_map,
            floor=floor,
            procedure=procedure,
        )
    except ParameterError:
        assume(False)
        raise


def alike(rule: Rule, stored: Rule) -> Rule:
    """`rule` with the alpha, correction and budget of `stored`, as free choices have."""
    single = stored.correction == "bonferroni"
    return rule.but(
        alpha=stored.alpha,
        correction=stored.correction,
        budget=stored.budget,
        radius_map=rule.radius_map and single,
    )


def decided(
    hits: npt.NDArray[Any], selection: Selection, rule: Rule, n: int = N
) -> Certificate | None:
    """The certificate, or None where the parts of the rule do not go together."""
    zeros = np.zeros(hits.shape, np.uint8)
    try:
        return decide(Tally(zeros, hits, zeros, n, 1, selection, 2, 0, DRAWS), rule)
    except ParameterError:
        return None


def claimed(certificate: Certificate) -> npt.NDArray[np.float64]:
    """Largest radius claimed for each component, -1 for none."""
    return np.nan_to_num(certificate.radii, nan=-1.0)


def covered(stored: Certificate, rule: Rule, selection: Selection) -> npt.NDArray[np.float64]:
    """Largest radius that holds for each component, with all others, whatever is chosen later."""
    tally = stored.tally
    simultaneous = stored.rule.correction in ("bonferroni", "kfwer")
    if selection == "split" and simultaneous and stored.rule.schedule is None:
        k = stored.rule.budget.of(tally.components) + 1
        level = k * rule.alpha / tally.components
        bounds = OneSidedLevel(tally.n, level, "split", 0.5).lower_bounds()[tally.hits]
        radii = [DRAWS.perturbation.radius(b) if b else -1.0 for b in bounds]
        return np.array(radii) + 1e-9
    return claimed(stored)


@given(
    stored=rules(),
    rule=rules(),
    hits=st.lists(st.sampled_from([*range(15, N + 1), *[N] * 10]), min_size=4, max_size=30),
    selection=st.sampled_from(["pooled", "split"]),
)
@examples(300)
def test_a_free_choice_claims_nothing_that_was_not_covered(
    stored: Rule, rule: Rule, hits: list[int], selection: Selection
) -> None:
    rule = alike(rule, stored)
    if find_post_hoc_changes(stored, rule, selection):
        return
    before, after = (decided(np.array(hits), selection, each) for each in (stored, rule))
    if before is None or after is None:
        return
    assert (rule.alpha, rule.budget) == (stored.alpha, stored.budget)
    assert (claimed(after) <= covered(before, stored, selection)).all()


@given(a=rules(), b=rules(), c=rules(), selection=st.sampled_from(["pooled", "split"]))
@examples(300)
def test_two_free_choices_are_one(a: Rule, b: Rule, c: Rule, selection: Selection) -> None:
    """Else a level could be voided in steps that each look free."""
    b, c = alike(b, a), alike(c, a)
    if not find_post_hoc_changes(a, b, selection) and not find_post_hoc_changes(b, c, selection):
        assert not find_post_hoc_changes(a, c, selection)


FREE: list[tuple[Rule, Rule, Selection]] = [
    (Rule(), Rule(), "pooled"),
    (Rule(correction="benjamini-yekutieli"), Rule(correction="benjamini-yekutieli"), "split"),
    (MAP, MAP.but(tau=0.9), "pooled"),
    (MAP, MAP.but(tau=0.6, more_taus=(0.7, 0.99)), "pooled"),
    (SEVERAL, SEVERAL.but(tau=0.9, more_taus=(0.8, 0.6)), "pooled"),
    (LOOKS.but(tau=0.6, more_taus=(0.8,)), LOOKS.but(tau=0.8, more_taus=(0.6,)), "pooled"),
    (SINGLE, SINGLE.but(tau=0.9), "split"),
    (SINGLE, SINGLE.but(radius_map=True), "split"),
    (MAP, MAP.but(floor=0.5, tau=0.55), "split"),
    (SINGLE, SINGLE.but(procedure="indivclass"), "split"),
    (
        SINGLE.but(correction="kfwer", budget=Budget("2")),
        SINGLE.but(correction="kfwer", budget=Budget("2"), tau=0.9),
        "split",
    ),
]
VOID: list[tuple[Rule, Rule, Selection, tuple[str, ...]]] = [
    (Rule(), Rule(alpha=0.05), "pooled", ("alpha",)),
    (Rule(), Rule(alpha=1e-4), "pooled", ("alpha",)),
    (MAP, MAP.but(alpha=0.05, tau=0.9), "split", ("alpha", "tau")),
    (Rule(), Rule(tau=0.8), "pooled", ("tau",)),
    (Rule(), Rule(tau=0.8), "split", ("tau",)),
    (SINGLE, SINGLE.but(tau=0.9), "pooled", ("tau",)),
    (SINGLE, SINGLE.but(radius_map=True), "pooled", ("the radius map",)),
    (MAP, MAP.but(radius_map=False), "pooled", ("the radius map",)),
    (MAP, MAP.but(floor=0.5), "pooled", ("the floor of the radius map",)),
    (SEVERAL, SEVERAL.but(more_taus=(0.9,)), "pooled", ("tau",)),
    (LOOKS, LOOKS.but(tau=0.6), "split", ("tau",)),
    (LOOKS, SINGLE, "split", ("the looks",)),
    (Rule(), SINGLE.but(alpha=0.001), "pooled", ("the correction",)),
    (SINGLE, SINGLE.but(correction="holm"), "split", ("the correction",)),
    (
        Rule(correction="kfwer", budget=Budget("2")),
        Rule(correction="kfwer", budget=Budget("1%")),
        "split",
        ("the budget",),
    ),
    (SINGLE, SINGLE.but(procedure="jointclass"), "split", ("the procedure",)),
    (Rule(), Rule(alpha_scope="dataset", inputs=3), "pooled",
     ("the scope of alpha", "the number of inputs that share alpha")),
    (Rule(hindsight=("tau",)), Rule(), "pooled", ("tau",)),
    (Rule(hindsight=("alpha",)), Rule(tau=0.8), "pooled", ("alpha", "tau")),
]  # fmt: skip


@pytest.mark.parametrize(("stored", "rule", "selection"), FREE)
def test_these_are_free(stored: Rule, rule: Rule, selection: Selection) -> None:
    assert find_post_hoc_changes(stored, rule, selection) == ()


@pytest.mark.parametrize(("stored", "rule", "selection", "names"), VOID)
def test_these_void_the_level(
    stored: Rule, rule: Rule, selection: Selection, names: tuple[str, ...]
) -> None:
    assert find_post_hoc_changes(stored, rule, selection) == names


def test_every_part_of_a_rule_is_looked_at() -> None:
    compared = {*NAMES, "more_taus", "hindsight"}  # more_taus with tau
    assert compared == set(Rule.__dataclass_fields__)


@pytest.mark.slow
def test_choosing_the_best_tau_is_free_under_split_and_costs_the_level_under_holm() -> None:
    """Somebody looks for a tau at which anything false is certified, in 1,500 inputs."""
    rng, alpha, n, components = np.random.default_rng(7), 0.1, 60, 5
    grid = [0.5, 0.6, 0.7, 0.8, 0.9]
    # Each component is null at its own tau: P(vote = candidate) is just that.
    p = np.array(grid)
    wrong: dict[str, int] = {"bonferroni": 0, "holm": 0}
    repetitions = 1500
    for _ in range(repetitions):
        hits = rng.binomial(n, p)
        for correction in wrong:
            errs = False
            for tau in grid:
                rule = Rule(tau=tau, alpha=alpha, correction=correction)
                found = decided(hits, "split", rule, n)
                assert found is not None
                errs |= bool(((found.labels >= 0) & (p <= tau)).any())
            wrong[correction] += errs
    assert len(p) == components
    assert wrong["bonferroni"] / repetitions < alpha
    assert wrong["holm"] / repetitions > 1.25 * alpha
