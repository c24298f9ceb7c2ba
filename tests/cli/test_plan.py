"""`onnxcert plan`: a table for people, one object for programs, one sentence for mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import pytest

from onnxcert.cli.plan import parse_product
from onnxcert.perturbation import Gaussian

QUICK = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--seed", "5", "--no-pictures")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


def test_the_example_of_the_issue(onnxcert: Any) -> None:
    asked = ("--components", "2e6", "--tau", "0.75", "--alpha", "0.001", "--sigma", "0.25")
    found = onnxcert("plan", *asked, "--json").json
    (tau,) = found["schemes"][0]["taus"]
    assert found["components"] == 2_000_000
    assert tau["smallest_n"] == 75
    assert tau["radius"] == Gaussian(0.25).radius(0.75)
    at_100 = next(row for row in tau["draws"] if row["n"] == 100)
    assert (at_100["votes"], at_100["share"]) == (98, 0.98)
    shown = onnxcert("plan", *asked)
    assert (shown.status, shown.err) == (0, "")
    assert "smallest useful n 75" in shown.out
    assert "radius 0.1686" in shown.out
    assert "budget 0.1% (2000 wrong ones tolerated): certifies from 49 draws on" in shown.out


def test_every_tau_has_a_table_and_a_radius(onnxcert: Any) -> None:
    asked = ("plan", "--components", "43200", "--tau", "0.6,0.9", "--sigma", "0.5")
    found = onnxcert(*asked, "--correction", "bonferroni", "--json").json
    taus = found["schemes"][0]["taus"]
    assert [each["tau"] for each in taus] == [0.6, 0.9]
    assert [each["radius"] for each in taus] == [Gaussian(0.5).radius(t) for t in (0.6, 0.9)]
    assert taus[0]["smallest_n"] < taus[1]["smallest_n"]
    assert onnxcert(*asked).out.count("tau 0.") == 2


def test_time_follows_from_passes_and_inputs(onnxcert: Any) -> None:
    asked = ("--components", "100", "--n", "90", "--selection", "split", "--inputs", "6")
    found = onnxcert("plan", *asked, "--draws-per-second", "50", "--json").json
    (row,) = found["schemes"][0]["taus"][0]["draws"]
    assert row["seconds"] == {"per_input": 2.0, "all_inputs": 12.0}
    assert "12 s" in onnxcert("plan", *asked, "--draws-per-second", "50").out


def test_looks_are_the_rows_and_n_is_the_last(onnxcert: Any) -> None:
    asked = ("plan", "--components", "1e6", "--looks", "100,300", "--n", "500", "--json")
    found = onnxcert(*asked).json
    assert found["rule"]["correction"] == "bonferroni"
    for plan in found["schemes"]:
        assert [row["n"] for row in plan["taus"][0]["draws"]] == [100, 300, 500]
    early, fixed = found["schemes"][:2]
    for a, b in zip(early["taus"][0]["draws"], fixed["taus"][0]["draws"], strict=True):
        assert b["votes"] <= a["votes"] <= b["votes"] + 4


def test_a_model_is_timed_and_says_how_many_components(onnxcert: Any, model: Path) -> None:
    asked = ("plan", "--model", model, "--picture", "12x16", "--threads", "1", "--sigma", "0.2")
    found = onnxcert(*asked, "--json").json
    assert found["components"] == 192
    assert found["speed"]["draws_per_second"] > 0
    assert 1 <= found["speed"]["batch_size"] <= 8
    assert found["schemes"][0]["taus"][0]["draws"][0]["seconds"]["per_input"] > 0
    assert "noisy passes a second" in onnxcert(*asked).out


def test_the_picture_may_be_a_file(onnxcert: Any, model: Path, pictures: Path) -> None:
    picture = next(pictures.iterdir())
    found = onnxcert("plan", "--model", model, "--picture", picture, "--json").json
    assert found["components"] == 12 * 16


@pytest.mark.slow
def test_a_slow_model_is_slower(onnxcert: Any, tmp_path: Path) -> None:
    small = graphs.save(graphs.conv(classes=2), tmp_path / "small.onnx")
    flags = ("--range", "0,1", "--threads", "1", "--json")
    speeds = [
        onnxcert("plan", "--model", small, "--picture", size, *flags).json["speed"][
            "draws_per_second"
        ]
        for size in ("32x32", "512x512")
    ]
    assert speeds[0] > speeds[1]  # of 256 times as many pixels


@pytest.mark.slow
def test_a_pilot_brings_shares_components_and_sigma(
    onnxcert: Any, model: Path, pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "pilot"
    assert onnxcert("certify", model, pictures, *QUICK, "--out", run).status == 0
    found = onnxcert("plan", "--pilot", run, "--n", "60,200", "--json").json
    assert (found["components"], found["pilot_inputs"]) == (192, 3)
    assert found["schemes"][0]["taus"][0]["radius"] == Gaussian(0.2).radius(0.75)
    here, later = found["schemes"][0]["taus"][0]["draws"]
    assert here["certified"]["lowest"] <= here["certified"]["mean"] <= here["certified"]["highest"]
    assert here["certified"]["mean"] <= later["certified"]["mean"]
    abstain = onnxcert("report", run, "--json").json["certified"]["abstain"]
    assert here["certified"]["mean"] == pytest.approx(1 - abstain, abs=0.1)
    assert "Do not certify the inputs of the pilot themselves" in " ".join(
        onnxcert("plan", "--pilot", run).out.split()
    )
    other = onnxcert("plan", "--pilot", run, "--sigma", "0.3")
    assert other.status == 2
    assert "sigma 0.2" in other.err


@pytest.mark.parametrize(
    ("text", "number"),
    [("43200", 43200), ("2e6", 2_000_000), ("1024x2048", 2_097_152), ("1.5e3", 1500), ("1", 1)],
)
def test_ways_to_write_a_number_of_components(text: str, number: int) -> None:
    assert parse_product(text) == number


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--components"),
        (("--components", "2.5"), "1024x2048"),
        (("--components", "0"), "1024x2048"),
        (("--components", "-4"), "1024x2048"),
        (("--components", "1e400000"), "1024x2048"),
        (("--components", "nan"), "1024x2048"),
        (("--components", "3x"), "1024x2048"),
        (("--components", "9", "--n", "0"), "numbers of draws"),
        (("--components", "9", "--n", "ten"), "numbers of draws"),
        (("--components", "9", "--n", "5"), "n0"),
        (("--components", "9", "--n", "50,60", "--looks", "auto"), "--n"),
        (("--components", "9", "--tau", "1"), "tau must be"),
        (("--components", "9", "--alpha", "0"), "alpha must"),
        (("--components", "9", "--tau", "0.9999999999"), "draws are needed"),
        (("--components", "9", "--correction", "sidak"), "Sidak"),
        (("--components", "9", "--budget", "9"), "below the number"),
        (("--components", "9", "--procedure", "predict"), "segcertify"),
        (("--components", "9", "--draws-per-second", "0"), "per second"),
        (("--components", "9", "--inputs", "0"), "input"),
        (("--components", "9", "--picture", "3x4"), "--model"),
        (("--components", "9", "--mean", "0.4"), "--model"),
        (("--pilot", "nowhere"), "no results"),
        (("--model", "nowhere.onnx"), "nowhere.onnx"),
    ],
)
def test_a_mistake_is_one_sentence(onnxcert: Any, arguments: tuple[str, ...], words: str) -> None:
    found = onnxcert("plan", *arguments)
    assert (found.status, found.out) == (2, "")
    assert words in found.err
    assert found.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--picture"),
        (("--picture", "large"), "HEIGHTxWIDTH"),
        (("--picture", "99999x2"), "at most"),
        (("--picture", "12x16", "--components", "5"), "192"),
        (("--picture", "12x16", "--draws-per-second", "5"), "one of them"),
        (("--picture", "12x16", "--resize"), "--size"),
        (("--picture", "12x16", "--batch-size", "0"), "--batch-size"),
        (("--picture", "12x16", "--threads", "-1"), "--threads"),
    ],
)
def test_a_mistake_about_the_model_is_one_sentence(
    onnxcert: Any, model: Path, arguments: tuple[str, ...], words: str
) -> None:
    found = onnxcert("plan", "--model", model, *arguments)
    assert (found.status, found.out) == (2, "")
    assert words in found.err
    assert found.err.count("\n") == 1
