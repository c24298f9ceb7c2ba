"""Corrections, budgets, several tau, radius maps and baselines on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest

from onnxcert import Budget, ResultStore, Rule, decide

BASE = ("--sigma", "0.2", "--threads", "1", "--seed", "5", "--no-pictures")


@pytest.fixture
def certify(tmp_path: Path, pictures: Path, onnxcert: Any) -> Any:
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")

    def run(*options: object, out: str = "out") -> Any:
        outcome = onnxcert(
            "certify", model, pictures, *BASE, "--json", "--out", tmp_path / out, *options
        )
        assert outcome.status == 0, outcome.err
        return outcome.json

    return run


def results(tmp_path: Path, out: str = "out") -> ResultStore:
    return ResultStore(tmp_path / out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "correction", "words"),
    [
        (("--correction", "bonferroni"), "bonferroni", "simultaneously for every certified"),
        (("--budget", "2%"), "kfwer-stepdown", "all but at most b = 3 (b/N = 1.57 %)"),
        (
            ("--budget", "2", "--correction", "kfwer"),
            "kfwer",
            "all but at most b = 2 (b/N = 1.05 %)",
        ),
        (("--correction", "benjamini-yekutieli"), "benjamini-yekutieli", "The expected share"),
        (("--looks", "auto"), "bonferroni", "n at most 60 draws tested, looks auto"),
        (("--looks", "auto", "--budget", "3"), "kfwer", "all but at most b = 3"),
        (
            ("--radius-map",),
            "bonferroni",
            "at most R_i, the radius that the radius map gives component i",
        ),
        (("--tau", "0.6,0.75"), "holm", "0.05066 for tau 0.6, 0.1348 for tau 0.75"),
        (("--procedure", "predict"), "bonferroni", "at the input itself"),
        (
            ("--procedure", "jointclass", "--selection", "split"),
            "bonferroni",
            "procedure jointclass",
        ),
        (
            ("--procedure", "indivclass", "--selection", "split"),
            "bonferroni",
            "procedure indivclass",
        ),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_what_is_asked_is_what_is_stated_and_verified(
    certify: Any, onnxcert: Any, tmp_path: Path, options: Any, correction: str, words: str
) -> None:
    outcome = certify("--n", "60", *options)
    assert outcome["rule"]["correction"] == correction
    assert words in outcome["guarantee"]["statement"]
    assert outcome["draws"]["n"] == 60
    verified = onnxcert("verify", tmp_path / "out")
    assert (verified.status, verified.out) == (0, "3 records, all checks passed\n")
    reported = onnxcert("report", tmp_path / "out", "--json").json
    for key in set(reported) - {"seconds", "command"}:
        assert reported[key] == outcome[key], key
    # Asked again, nothing is drawn, and nothing else comes out.
    again = certify("--n", "60", *options)
    assert again["certified"] == outcome["certified"]
    assert again["seconds"]["forward"] < outcome["seconds"]["forward"]


@pytest.mark.slow
def test_a_budget_certifies_more_and_says_how_many_may_be_wrong(certify: Any) -> None:
    noisy = ("--n", "60", "--sigma", "0.4")
    none = certify(*noisy, "--correction", "bonferroni")
    some = certify(*noisy, "--budget", "10%", "--correction", "kfwer", out="budget")
    assert some["certified"]["abstain"] < none["certified"]["abstain"]
    assert some["rule"]["budget"] == {
        "given": "10%",
        "components": 19,
        "share": pytest.approx(19 / 192),
    }


@pytest.mark.slow
def test_several_tau_in_one_run(certify: Any, tmp_path: Path) -> None:
    outcome = certify("--n", "100", "--tau", "0.75,0.6,0.9")
    assert [row["tau"] for row in outcome["taus"]] == [0.75, 0.6, 0.9]
    abstained = {row["tau"]: row["abstain"] for row in outcome["taus"]}
    assert abstained[0.6] <= abstained[0.75] <= abstained[0.9]
    assert outcome["certified"]["abstain"] == abstained[0.75]
    # Holm shares alpha between the tau: three runs at a third of it.
    single = certify("--n", "100", "--tau", "0.75", "--alpha", str(0.001 / 3), out="single")
    assert single["certified"] == outcome["certified"]
    record = results(tmp_path).read("p0")
    for tau in (0.6, 0.75, 0.9):
        alone = decide(record.tally, Rule(tau=tau, alpha=0.001 / 3))
        assert np.array_equal(record.certificate().labels_at(tau), alone.labels)


@pytest.mark.slow
def test_a_radius_map_holds_the_curve(certify: Any, tmp_path: Path) -> None:
    outcome = certify("--n", "100", "--radius-map")
    curve = outcome["curve"]
    assert curve["radius"] == sorted(curve["radius"])
    assert curve["certified"] == sorted(curve["certified"], reverse=True)
    record = results(tmp_path).read("p1")
    radii = record.certificate().radii
    for radius, share in zip(record.radii, record.curve.certified, strict=True):
        assert np.count_nonzero(radii >= radius) == share
    # At the tau asked for it is what Bonferroni certifies there.
    plain = decide(record.tally, Rule(correction="bonferroni"))
    assert np.count_nonzero(radii >= plain.radius) == np.count_nonzero(plain.labels >= 0)


@pytest.mark.slow
def test_the_naive_extensions_fail_where_one_component_is_bad(certify: Any) -> None:
    """The pictures have a ragged stripe: some pixels are as good as undecided."""
    ours = certify("--n", "60")
    assert ours["certified"]["abstain"] < 0.5
    for name in ("indivclass", "jointclass"):
        naive = certify("--n", "60", "--procedure", name, "--selection", "split", out=name)
        assert naive["certified"]["abstain"] == 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--correction", "hochberg"), "hochberg cannot back a certificate: Hochberg's step-up"),
        (("--correction", "fdr_bh"), "use benjamini-yekutieli"),
        (("--radius-map", "--correction", "holm"), "a radius map needs --correction bonf"),
        (("--looks", "auto", "--correction", "holm"), "looks need --correction bonferroni"),
        (("--looks", "auto", "--correction", "kfwer-stepdown", "--budget", "2"), "looks need"),
        (("--looks", "auto", "--radius-map"), "looks cannot be combined with a radius map"),
        (("--until", "0.5"), "until stops at a look, but the rule has none; pass --looks auto"),
        (("--budget", "2", "--correction", "holm"), "needs --correction kfwer or kfwer-step"),
        (("--procedure", "jointclass"), "use --selection split"),
        (("--correction", "benjamini-yekutieli", "--alpha-scope", "dataset"), "expected share"),
        (("--radius-map", "--floor", "0.8"), "the floor of the radius map must be at most tau"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_what_does_not_go_together_is_refused_with_the_reason(
    tmp_path: Path, pictures: Path, onnxcert: Any, options: Any, words: str
) -> None:
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    outcome = onnxcert("certify", model, pictures, *BASE, "--out", tmp_path / "out", *options)
    assert outcome.status == 2
    assert words in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_budget_of_a_share_is_exact() -> None:
    assert [Budget("0.3%").of(n) for n in (1000, 999, 334, 333)] == [3, 2, 1, 0]
