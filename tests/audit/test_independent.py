"""`verify --independent`: statsmodels rejects what is certified, and finds what is not so."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import records
from exact import tally_of
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from profiles import examples

from onnxcert.audit.independent import compare_with_statsmodels, explain_unchecked
from onnxcert.audit.record_checks import find_contradictions
from onnxcert.results import Record
from onnxcert.sampling.tally import Selection, Tally
from onnxcert.statistics import decide
from onnxcert.statistics.rule import Budget, Rule, Schedule


@pytest.fixture(autouse=True)
def no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """statsmodels collects garbage at every call of Holm, a tenth of a second each."""
    monkeypatch.setattr(gc, "collect", lambda *_: 0)


def record_of(tally: Tally, rule: Rule) -> Record:
    certificate = decide(tally, rule)
    return Record.of(
        "x",
        certificate,
        clean=tally.single,
        nonrobust=None,
        provenance=records.provenance(),
    )


@given(
    hits=st.lists(st.integers(30, 80), min_size=1, max_size=40),
    taus=st.lists(
        st.sampled_from([0.5, 0.51, 0.55, 0.6, 0.75, 0.9]), min_size=1, max_size=3, unique=True
    ),
    alpha=st.floats(1e-4, 0.4),
    correction=st.sampled_from(["bonferroni", "holm", "benjamini-yekutieli"]),
    selection=st.sampled_from(["pooled", "split"]),
    further=st.sampled_from(
        [
            {},
            {"closed_testing": False},
            {"alpha_scope": "dataset", "inputs": 3},
            {"radius_map": True},
        ]
    ),
    law_error=st.sampled_from([0.0, 1e-7, 0.01]),
)
@examples(250, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_certified_is_what_statsmodels_rejects(
    hits: list[int],
    taus: list[float],
    alpha: float,
    correction: str,
    selection: Selection,
    further: dict[str, Any],
    law_error: float,
) -> None:
    if "radius_map" in further:
        correction = "bonferroni"
    if "inputs" in further and correction == "benjamini-yekutieli":
        further = {}
    rule = Rule(
        tau=taus[0], more_taus=tuple(taus[1:]), alpha=alpha, correction=correction, **further
    )
    tally = replace(tally_of(hits, 80, selection), law_error=law_error)
    assert not explain_unchecked(rule)
    assert list(compare_with_statsmodels(record_of(tally, rule))) == []


HITS = np.array([100] * 200 + list(range(99, 60, -1)))
RULES = [
    Rule(alpha=0.01, correction="bonferroni"),
    Rule(alpha=0.01),
    Rule(alpha=0.01, correction="benjamini-yekutieli"),
    Rule(tau=0.6, more_taus=(0.8,), alpha=0.01),
    Rule(tau=0.6, more_taus=(0.8,), alpha=0.01, closed_testing=False),
    Rule(tau=0.6, more_taus=(0.8,), alpha=0.01, correction="bonferroni"),
    Rule(tau=0.6, more_taus=(0.8,), alpha=0.01, correction="benjamini-yekutieli"),
    Rule(tau=0.7, alpha=0.01, correction="bonferroni", radius_map=True, floor=0.6),
]


@pytest.mark.parametrize("selection", ["split", "pooled"])
@pytest.mark.parametrize("rule", RULES, ids=lambda r: f"{r.correction}{len(r.taus)}")
def test_one_component_more_or_less_is_found(rule: Rule, selection: Selection) -> None:
    record = record_of(tally_of(HITS, 100, selection), rule)
    level = np.asarray(record.level).copy()
    at = int(np.searchsorted(record.levels, rule.tau)) + 1
    first = int(np.flatnonzero(level < at)[0])  # hits fall from one to the next
    assert 200 < first < len(HITS)
    for place, changed, words in (
        (first, at, "statsmodels does not reject 1 components"),
        (first - 1, at - 1, "statsmodels rejects 1 components"),
    ):
        other = level.copy()
        other[place] = changed
        found = list(compare_with_statsmodels(replace(record, level=other)))
        assert any(text.startswith(words) for text in found), found


@pytest.mark.parametrize("selection", ["split", "pooled"])
def test_who_certifies_all_at_the_largest_tau_leaves_nothing_and_is_found(
    selection: Selection,
) -> None:
    record = record_of(tally_of(HITS, 100, selection), RULES[3])
    everything = np.full_like(np.asarray(record.level), 2)
    found = list(compare_with_statsmodels(replace(record, level=everything)))
    assert any("certified at tau 0.8" in text for text in found)


def test_the_law_error_is_looked_at() -> None:
    rule = Rule(alpha=0.01)
    tally = tally_of(HITS, 100, "split")
    record = record_of(tally, rule)
    assert list(compare_with_statsmodels(replace(record, tally=replace(tally, law_error=0.03))))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(correction="kfwer", budget=Budget("1")), "kfwer has no second"),
        (Rule(correction="kfwer-stepdown"), "kfwer-stepdown has no second"),
        (Rule(correction="bonferroni", schedule=Schedule(100)), "looks have no second"),
        (Rule(correction="bonferroni", procedure="predict"), "predict has no second"),
    ],
)
def test_what_has_no_second_implementation_says_so(rule: Rule, words: str) -> None:
    assert words in explain_unchecked(rule)


def test_a_statement_in_the_words_of_older_records_fits_and_other_words_do_not() -> None:
    for rule, selection in (
        (RULES[2], "pooled"),
        (Rule(correction="bonferroni", procedure="indivclass"), "split"),
    ):
        record = record_of(tally_of(HITS, 100, selection), rule)  # type: ignore[arg-type]
        older = record.certificate().statement(before=True)
        assert older != record.decision.statement
        for words, fits in ((older, True), (older.replace("alpha 0.0", "alpha 0.00"), False)):
            said = replace(record, decision=replace(record.decision, statement=words))
            found = [text for text in find_contradictions(said, "x", None) if "statement" in text]
            assert (not found) == fits


def test_on_the_command_line(tmp_path: Path, onnxcert: Any) -> None:
    import graphs
    from drawing import write_picture

    write_picture(tmp_path / "p.png", seed=1)
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    certify = (
        "certify",
        model,
        tmp_path / "p.png",
        "--sigma",
        "0.2",
        "--n",
        "60",
        "--threads",
        "1",
    )
    for correction, unseen in (("holm", 0), ("kfwer", 1)):
        out = tmp_path / correction
        done = onnxcert(*certify, "--no-pictures", "--correction", correction, "--out", out)
        assert done.status == 0
        plain = onnxcert("verify", out)
        held = onnxcert("verify", out, "--independent")
        assert (held.status, "all checks passed" in held.out) == (0, True)
        assert (held.out == plain.out) == (unseen == 0)
        found = onnxcert("verify", out, "--independent", "--json").json
        assert len(found["unchecked"]) == unseen
        if unseen:
            assert "not checked: kfwer has no second implementation; 1 record was" in held.out
