"""IndivClass, JointClass and PREDICT, and where they meet SegCertify."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exact import tally_of
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.stats import binomtest, norm
from statsmodels.stats.proportion import proportion_confint

from onnxcert.errors import ParameterError
from onnxcert.sampling.tally import Tally
from onnxcert.statistics import PROCEDURES, decide
from onnxcert.statistics.rule import Rule

N = 200
HITS = st.lists(st.integers(0, N), min_size=1, max_size=12)


def rule(procedure: str, tau: float = 0.75, alpha: float = 0.01) -> Rule:
    return Rule(tau=tau, alpha=alpha, correction="bonferroni", procedure=procedure)


def split(hits: list[int], joint: int | None = None) -> Tally:
    return replace(tally_of(hits, N, "split"), joint=joint)


@given(hits=HITS, alpha=st.floats(1e-6, 0.5))
@examples(200)
def test_indivclass_certifies_all_or_nothing_at_the_smallest_radius(
    hits: list[int], alpha: float
) -> None:
    certificate = decide(split(hits), rule("indivclass", alpha=alpha))
    level = 2 * alpha / len(hits)
    lower = [proportion_confint(x, N, alpha=level, method="beta")[0] if x else 0.0 for x in hits]
    weakest = min(lower)
    assert certificate.abstained in (0, len(hits))
    assert (certificate.abstained == 0) == (weakest >= 0.5)
    if certificate.abstained == 0:
        assert certificate.radius <= 0.25 * norm.ppf(weakest) * (1 + 1e-9)
        assert certificate.radius == pytest.approx(0.25 * norm.ppf(weakest), rel=1e-6, abs=1e-8)
        assert np.all(certificate.radii == certificate.radius)
    else:
        assert certificate.radius == 0.0
        assert np.isnan(certificate.radii).all()
        assert f"one component got {min(hits)} of {N} votes" in certificate.notes[0]


def test_one_bad_component_spoils_indivclass_and_not_segcertify() -> None:
    hits = [N] * 50 + [N // 2]
    assert decide(split(hits), rule("indivclass")).abstained == 51
    assert decide(split(hits), rule("segcertify")).abstained == 1


@given(hits=st.integers(0, N), tau=st.floats(0.5, 0.95), alpha=st.floats(1e-6, 0.5))
@examples(200)
def test_jointclass_of_one_component_is_segcertify(hits: int, tau: float, alpha: float) -> None:
    one = split([hits], joint=hits)
    joint = decide(one, rule("jointclass", tau, alpha))
    plain = decide(one, rule("segcertify", tau, alpha))
    np.testing.assert_array_equal(joint.labels, plain.labels)
    assert (joint.threshold, joint.radius) == (plain.threshold, plain.radius)


@given(hits=HITS, share=st.floats(0, 1))
@examples(100)
def test_jointclass_tests_the_whole_map_once_at_alpha(hits: list[int], share: float) -> None:
    joint = int(share * min(hits))
    certificate = decide(split(hits, joint), rule("jointclass"))
    wanted = binomtest(joint, N, 0.75, alternative="greater").pvalue <= 0.01
    assert certificate.abstained == (0 if wanted else len(hits))


def test_jointclass_certifies_from_the_first_number_of_votes_whose_p_value_is_alpha() -> None:
    """At alpha and not at alpha / N, by the draws that agree and not by any component's."""
    for joint in range(140, 190):
        certificate = decide(split([N, 190, 195, 190], joint), rule("jointclass"))
        enough = binomtest(joint, N, 0.75, alternative="greater").pvalue <= 0.01
        assert certificate.abstained == (0 if enough else 4)
        assert certificate.threshold == 165
        assert (joint >= 165) == enough


def test_jointclass_needs_the_joint_votes() -> None:
    with pytest.raises(ParameterError, match="count with --selection split"):
        decide(split([N]), rule("jointclass"))


@pytest.mark.parametrize("joint", [-1, 191, N])
def test_more_joint_votes_than_any_component_has_are_refused(joint: int) -> None:
    assert split([190, N], 190).joint == 190
    with pytest.raises(ParameterError, match="all components agree must be at most"):
        split([190, N], joint)


@given(
    votes=st.lists(
        st.integers(0, N).flatmap(
            lambda first: st.tuples(st.just(first), st.integers(0, min(first, N - first)))
        ),
        min_size=1,
        max_size=10,
    ),
    alpha=st.floats(1e-6, 0.5),
)
@examples(200)
def test_predict_is_the_two_sided_test_of_the_two_leading_classes(
    votes: list[tuple[int, int]], alpha: float
) -> None:
    """Cohen, Rosenfeld, Kolter 2019, PREDICT: abstain where the p-value exceeds alpha / N."""
    tally = replace(
        tally_of([a for a, _ in votes], N, n0=N), runner_up=np.array([b for _, b in votes])
    )
    labels = decide(tally, rule("predict", alpha=alpha)).labels
    for (first, second), label in zip(votes, labels.tolist(), strict=True):
        if first == second:
            assert label == -1
            continue
        p = binomtest(first, first + second, 0.5).pvalue
        if abs(p / (alpha / len(votes)) - 1) > 1e-9:
            assert label == (0 if p <= alpha / len(votes) else -1)


def test_predict_rules_out_no_attack_and_needs_all_votes() -> None:
    tally = replace(tally_of([N, 120], N, n0=N), runner_up=np.array([0, 80], np.uint8))
    certificate = decide(tally, rule("predict"))
    assert certificate.radius == 0.0
    assert certificate.labels.tolist() == [0, -1]
    for wrong in (replace(tally, runner_up=None), replace(tally, n0=N - 1)):
        with pytest.raises(ParameterError, match="count with --procedure predict"):
            decide(wrong, rule("predict"))


def test_the_procedures_by_name() -> None:
    assert sorted(PROCEDURES) == ["indivclass", "jointclass", "predict", "segcertify"]
    with pytest.raises(ParameterError, match="procedure must be one of segcertify, indivclass"):
        decide(split([N]), Rule(procedure="SegCertify"))
