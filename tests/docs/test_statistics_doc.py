"""Every number in docs/statistics.md is what the program computes."""

from __future__ import annotations

import importlib.util
import math
import re
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import mpmath
import numpy as np
import pytest
from scipy.stats import binom, multinomial, norm

from onnxcert.perturbation import Gaussian
from onnxcert.statistics import (
    PROCEDURES,
    SPENDING,
    Family,
    boundaries,
    p_values,
    resolve_looks,
    smallest_n,
)
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.guarantee import guarantee
from onnxcert.statistics.rule import Budget, Rule, Schedule

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
PROSE = " ".join(DOC.replace("*", "").split())
N, TAU, ALPHA = 1_000_000, 0.75, 1e-3


def row(start: str) -> list[str]:
    """The cells after the first of the table row that starts with a text."""
    found = re.findall(rf"^\| {re.escape(start)} \|(.*)\|$", DOC, re.MULTILINE)
    assert len(found) == 1, f"{len(found)} rows start with {start!r}"
    return [cell.strip() for cell in found[0].split("|")]


def family(components: int = N, tau: float = TAU, name: str = "bonferroni", k: int = 1) -> Family:
    return Family(components, tau, ALPHA, CORRECTIONS[name], "pooled", k)


def votes(n: int, level: float) -> int:
    return int(np.argmax(p_values(n, TAU, "pooled") <= level))


LOOKS = tuple(int(n) for n in row("draws"))


def test_the_votes_of_one_test() -> None:
    assert [int(x) for x in row("one test at n")] == [votes(n, ALPHA / N) for n in LOOKS]


@pytest.mark.parametrize("spending", SPENDING)
def test_the_boundaries(spending: str) -> None:
    bounds = boundaries(LOOKS, [TAU], ALPHA / N, "pooled", spending)[0]
    expected = ["-" if b > n else str(b) for b, n in zip(bounds, LOOKS, strict=True)]
    assert row(f"ten looks, {spending}") == expected


def test_what_ten_looks_cost() -> None:
    assert "0 to 4 votes for ten looks" in PROSE
    bounds = boundaries(LOOKS, [TAU], ALPHA / N, "pooled", "equal")[0]
    more = [b - votes(n, ALPHA / N) for b, n in zip(bounds, LOOKS, strict=True) if b <= n]
    assert (min(more), max(more)) == (0, 4)


def test_where_automatic_looks_lie() -> None:
    def looks(spending: str) -> tuple[int, ...]:
        return resolve_looks(Schedule(1000, None, spending), family(), 10)

    equal = looks("equal")
    assert f"component: {', '.join(map(str, equal))} for N = 1e6, tau .75, alpha .001" in PROSE
    assert max(b / a for a, b in pairwise(equal)) <= 1.35
    assert f"begins at {looks('obrien-fleming')[0]} of 1000 draws" in PROSE


def convex_up_to(x: int, n: int) -> float:
    return x / n - math.sqrt(x * (n - x) / (n - 1)) / n


@pytest.mark.parametrize(("x", "n"), [(6, 10), (9, 10), (10, 10), (80, 100), (98, 100)])
def test_up_to_where_the_chance_of_a_path_is_convex(x: int, n: int) -> None:
    """g of Lemma 4 against second differences: convex below, and not just above."""

    def bend(p: mpmath.mpf) -> mpmath.mpf:
        h = mpmath.mpf(10) ** -12
        return sum(w * q**x * (1 - q) ** (n - x) for w, q in ((1, p - h), (-2, p), (1, p + h)))

    edge = mpmath.mpf(convex_up_to(x, n))
    with mpmath.workdps(60):
        assert all(bend(edge * j / 1000) > 0 for j in range(1, 1000))
        assert x == n or bend(edge * mpmath.mpf("1.001")) < 0


@pytest.mark.parametrize("spending", ["equal", "pocock"])
@pytest.mark.parametrize("level", [0.4, 0.3, 0.05])
@pytest.mark.parametrize("looks", [(8, 12), (5, 9, 14), (12,)])
def test_lemma_4(looks: tuple[int, ...], level: float, spending: str) -> None:
    """Three classes, their votes counted exactly: no law errs with more than the level, at one tau
    or two."""
    taus = (0.5, 0.55)
    rows = boundaries(looks, taus, level, "pooled", spending)
    laws = [(0.5, 0.5), (0.55, 0.45), (0.52, 0.48), (0.5, 0.25), (1 / 3, 1 / 3), (0.6, 0.4)]
    for p in laws:
        law = np.array([*p, 1.0 - sum(p)])
        for used in ([0], [1], [0, 1]):
            bounds = (
                rows[used]
                if len(used) > 1
                else boundaries(looks, [taus[used[0]]], level, "pooled", spending)
            )
            assert error(looks, bounds, [taus[j] for j in used], law) <= level


def test_boundaries_lie_where_the_chance_to_cross_is_convex() -> None:
    """Also at a level that is large enough for less."""
    bound = int(boundaries((16,), [TAU], 0.45, "pooled", "equal")[0, 0])
    assert p_values(16, TAU, "pooled")[bound - 1] <= 0.45
    assert convex_up_to(bound - 1, 16) < TAU <= convex_up_to(bound, 16)


def test_lemma_4_has_little_to_spare() -> None:
    """Most of the level is spent, and boundaries one vote lower would break it."""
    looks, level = (20, 40), 0.05
    bounds = boundaries(looks, [0.5], level, "pooled", "equal")
    worst = error(looks, bounds, [0.5], np.array([0.5, 0.5, 0.0]))
    assert 0.6 * level < worst <= level
    assert error(looks, bounds - 1, [0.5], np.array([0.5, 0.5, 0.0])) > level


def error(looks: tuple[int, ...], bounds: np.ndarray, taus: list[float], law: np.ndarray) -> float:
    """P(some class crosses a boundary of a tau that it does not exceed), for three classes: an
    upper bound for every way to choose the candidate."""
    alive, before, wrong = {(0, 0): 1.0}, 0, 0.0
    for j, look in enumerate(looks):
        new = look - before
        steps = [(a, b) for a in range(new + 1) for b in range(new + 1 - a)]
        chances = multinomial.pmf([(a, b, new - a - b) for a, b in steps], new, law)
        following: dict[tuple[int, int], float] = {}
        for (x, y), mass in alive.items():
            for (a, b), chance in zip(steps, chances, strict=True):
                following[x + a, y + b] = following.get((x + a, y + b), 0.0) + mass * chance
        alive = {}
        for (x, y), mass in following.items():
            hits = (x, y, look - x - y)
            if any(
                votes >= row[j] and p <= tau
                for votes, p in zip(hits, law, strict=True)
                for row, tau in zip(bounds, taus, strict=True)
            ):
                wrong += mass
            else:
                alive[x, y] = mass
        before = look
    return wrong


def test_what_holm_could_gain_at_looks() -> None:
    assert "worth 1 to 3 votes from 80 to 1000 draws" in PROSE
    gain = [votes(n, ALPHA / N) - votes(n, 5 * ALPHA / N) for n in LOOKS]
    assert (min(gain), max(gain)) == (1, 3)


def test_what_a_law_error_changes() -> None:
    assert "1e-7 raises the p-value of 98 of 100 votes at $\\tau$ .75 by 0.0012 %" in PROSE
    before, after = (p_values(100, tau, "pooled")[98] for tau in (TAU, TAU + 1e-7))
    assert f"{100 * (after / before - 1):.2g}" == "0.0012"


def test_the_smallest_n() -> None:
    for shown, components in zip(row("smallest n"), (1, 2048, N, 2**21), strict=True):
        assert int(shown) == smallest_n(family(components))
        assert int(shown) == math.ceil(math.log(components / ALPHA) / math.log(1 / TAU))
    assert "cost ln(1000) / ln(4/3) = 24 draws" in PROSE
    assert round(math.log(1000) / math.log(4 / 3)) == 24


def test_what_a_budget_saves() -> None:
    ns = [smallest_n(family(name="kfwer", k=k)) for k in (1, 11, 1001)]
    at_100 = [votes(100, k * ALPHA / N) for k in (1, 101, 1001)]
    said = (
        f"{ns[0]} draws for b = 0, {ns[1]} for b = 10, {ns[2]} for b = 1000) and the votes needed "
        f"({at_100[0]} of 100 for b = 0, {at_100[1]} for b = 100, {at_100[2]} for b = 1000)"
    )
    assert said in PROSE


@pytest.mark.parametrize("tau", ["0.5", "0.55", "0.6", "0.75"])
def test_the_reserve(tau: str) -> None:
    for shown, n in zip(row(tau), (100, 1000), strict=True):
        share = family(tau=float(tau), name="holm").reserve(n) / ALPHA
        if shown.startswith("1"):
            assert share == 1.0
        elif shown == "none":
            assert share < 1e-200
        else:
            assert float(shown) == float(f"{share:.0e}")


def test_the_two_components_that_break_hochberg() -> None:
    n, alpha = 394, 0.1
    table = p_values(n, 0.5, "split")
    strong, weak = (binom.sf(int(np.argmax(table <= a)) - 1, n, 0.5) for a in (alpha / 2, alpha))
    chance = strong + strong + (weak - strong)  # one, the other, or both in between
    assert f"Hochberg errs with probability {chance:.3f};".replace(" 0.", " .") in PROSE


def test_the_guarantees_are_worded_as_the_program_words_them() -> None:
    def said(controls: str, **rule: object) -> str:
        return guarantee(
            rule=Rule(**rule),  # type: ignore[arg-type]
            controls=controls,  # type: ignore[arg-type]
            perturbation=Gaussian(0.25),
            unit="unit",
            n=100,
            n0=10,
            selection="pooled",
            components=1000,
            kind="pixels",
        )

    quoted = {
        "simultaneously for every certified component of an input": said("FWER"),
        "for every perturbation d of the input with L2 norm at most R": said("FWER"),
        "the class most likely under noise (the majority class of the smoothed model) at the "
        "perturbed input is the certified class": said("FWER"),
        "for all but at most b": said("k-FWER", correction="kfwer", budget=Budget("4")),
        "of the certified components of an input": said(
            "k-FWER", correction="kfwer", budget=Budget("4")
        ),
        "The expected share, over the noise draws, of wrong ones among the certified components "
        "of an input (0 where none is certified) is at most": said(
            "FDR", correction="benjamini-yekutieli"
        ),
        "NOT A CERTIFICATE at this level, as": said("FWER", hindsight=("tau",)),
        "chosen after the votes had been counted; fixed beforehand it would have said:": said(
            "FWER", hindsight=("tau",)
        ),
    }
    for words, statement in quoted.items():
        assert words in PROSE
        assert words in statement


@pytest.mark.parametrize("name", [*CORRECTIONS, *(p for p in PROCEDURES if p != "segcertify")])
def test_every_correction_and_procedure_is_in_the_table_at_the_top(name: str) -> None:
    top = DOC.split("## 1.")[0]
    assert re.search(rf"^\|.*[ `]{name}[ `].*\|.*\|.*\|.*\|$", top, re.MULTILINE)


# -- the anytime-valid mode that is not there ---------------------------------------------------


@cache
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("anytime", ROOT / "benchmarks" / "anytime.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["anytime"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_what_an_anytime_mode_would_cost() -> None:
    anytime = benchmark()
    rates, last, level = np.array([0.9]), 400, ALPHA / N
    needed = anytime.first(anytime.fixed(level, rates, last)[:, 0], 0.5)
    mixture = anytime.spread("uniform", 1.0, 1.0).boundary(level, last)
    median = anytime.first(anytime.crossing(mixture, rates, last)[:, 0], 0.5)
    fine = anytime.at_looks(anytime.FINE_LOOKS, "equal", level, last)
    looks = anytime.first(anytime.crossing(fine, rates, last)[:, 0], 0.5)
    assert f"needs {median:.0f} draws in the median where one test needs {needed:.0f}" in PROSE
    assert f"+{100 * (median / needed - 1):.0f} %" in PROSE
    assert f"{len(anytime.FINE_LOOKS)} looks, each some 5 %" in PROSE
    assert f"need {looks:.0f} draws there" in PROSE


def test_the_e_process_keeps_its_level() -> None:
    """The benchmark compares with something valid, and that spends most of its level."""
    anytime = benchmark()
    level, last = 0.05, 3000
    bounds = anytime.spread("uniform", 1.0, 1.0).boundary(level, last)
    chance = anytime.crossing(bounds, np.array([TAU, 1.0 - TAU]), last)[-1].sum()
    assert 0.5 * level < chance <= level
    used = [n for n in range(1, last + 1) if bounds[n] <= n]
    assert all(anytime.convex_up_to(int(bounds[n]), n) >= TAU for n in used)


def test_looks_without_an_end_keep_their_level() -> None:
    anytime = benchmark()
    level, last = 0.01, 1500
    bounds = anytime.endless(level, last)
    chance = anytime.crossing(bounds, np.array([TAU, 1.0 - TAU]), last)[-1].sum()
    assert 0.5 * level < chance <= level


def test_the_benchmark_counts_crossings_rightly() -> None:
    """Its recursion against the program's boundaries: the level spent, no more."""
    anytime = benchmark()
    level = 0.01
    bounds = anytime.at_looks((20, 40, 80), "equal", level, 80)
    chance = anytime.crossing(bounds, np.array([TAU, 1.0 - TAU]), 80)[-1].sum()
    assert 0.5 * level < chance <= level
    one = anytime.fixed(level, np.array([0.9]), 80)[80, 0]
    assert one == pytest.approx(binom.sf(votes(80, level) - 1, 80, 0.9))


# -- rounding -----------------------------------------------------------------------------------


def exact_tail(n: int, p: float, x: int) -> mpmath.mpf:
    """P(Bin(n, p) >= x) to 30 digits, for x above the mean."""
    p = mpmath.mpf(p)
    term = mpmath.binomial(n, x) * p**x * (1 - p) ** (n - x)
    total = mpmath.mpf(0)
    for y in range(x, n + 1):
        total += term
        if term < total * mpmath.mpf(10) ** -30:
            break
        term *= mpmath.mpf(n - y) / (y + 1) * p / (1 - p)
    return total


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.5, 0.75, 0.95])
@pytest.mark.parametrize(("n", "off"), [(10_000, 1.3e-12), (1_000_000, 1.3e-12), (10**7, 7e-12)])
def test_how_good_scipys_tail_is(n: int, off: float, p: float) -> None:
    assert "good to 1.3e-12 up to n = 1e6, 7e-12 at 1e7" in PROSE
    with mpmath.workdps(40):
        for level in np.geomspace(1e-3, 1e-60, 8):
            x = int(n * p + norm.isf(level) * math.sqrt(n * p * (1 - p)))
            assert abs(float(binom.sf(x - 1, n, p) / exact_tail(n, p, x) - 1)) < off
