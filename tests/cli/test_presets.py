"""A preset stands for several options, and what is given wins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphs
import pytest

from onnxcert import certify_many
from onnxcert.api.presets import PRESETS
from onnxcert.errors import ParameterError

SMALL = ("--sigma", "0.2", "--threads", "1", "--no-pictures", "--json", "--seed", "5")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


@pytest.fixture
def parameters(onnxcert: Any, tmp_path: Path, model: Path, pictures: Path) -> Any:
    def run(*options: str) -> dict[str, Any]:
        out = tmp_path / "-".join(["out", *(word.strip("-") for word in options)])
        command = ("certify", model, pictures, *SMALL, "--limit", "1", *options)
        outcome = onnxcert(*command, "--out", out)
        assert outcome.status == 0, outcome.err
        found = json.loads((out / "run.json").read_text())["parameters"]
        assert isinstance(found, dict)
        return found

    return run


def test_a_preset_is_the_same_as_its_options(parameters: Any) -> None:
    paper = ("--selection", "split", "--n0", "10", "--n", "100", "--tau", "0.75")
    paper += ("--alpha", "0.001", "--correction", "holm")
    assert parameters("--preset", "paper") == parameters(*paper)
    strict = ("--correction", "bonferroni", "--alpha", "1e-4", "--alpha-scope", "dataset")
    assert parameters("--preset", "strict") == parameters(*strict, "--n", "1000")


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_given_wins(parameters: Any, preset: str) -> None:
    found = parameters("--preset", preset, "--n", "120", "--alpha", "0.01", "--n0", "7")
    assert (found["n"], found["alpha"], found["n0"]) == (120, 0.01, 7)
    assert "preset" not in found  # the record names a preset that computed a number


@pytest.mark.parametrize("options", [(), ("--looks", "auto"), ("--selection", "split")])
def test_quick_takes_the_least_n_that_certifies_and_a_fifth_more(
    onnxcert: Any, tmp_path: Path, model: Path, pictures: Path, options: tuple[str, ...]
) -> None:
    def run(*more: str) -> Any:
        command = ("certify", model, pictures, *SMALL, *options)
        return onnxcert(*command, *more, "--out", tmp_path / "-".join(["out", *more]))

    quick = tmp_path / "out---preset-quick"
    assert run("--preset", "quick").status == 0
    stored = json.loads((quick / "run.json").read_text())["parameters"]
    assert stored["preset"] == "quick"
    least = stored["n"] * 5 // 6
    assert run("--n", str(least - 1)).status == 2
    assert run("--n", str(least)).status == 0
    assert onnxcert("verify", quick).status == 0


def test_quick_says_so_in_the_header(
    onnxcert: Any, tmp_path: Path, model: Path, pictures: Path
) -> None:
    options = [option for option in SMALL if option != "--json"]
    outcome = onnxcert(
        "certify", model, pictures, *options, "--preset", "quick", "--out", tmp_path / "o"
    )
    assert "preset  quick: n " in outcome.err


@pytest.mark.parametrize("option", [("--procedure", "predict"), ("--looks", "100,200")])
def test_quick_refuses_what_it_cannot_compute(
    onnxcert: Any, model: Path, pictures: Path, option: tuple[str, str]
) -> None:
    outcome = onnxcert("certify", model, pictures, *SMALL, "--preset", "quick", *option)
    assert outcome.status == 2
    assert option[0] in outcome.err
    assert "give --n" in outcome.err


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("given", [{}, {"n": 120}])
def test_the_function_takes_the_same_presets(
    parameters: Any, tmp_path: Path, model: Path, pictures: Path, preset: str, given: dict[str, int]
) -> None:
    words = {"sigma": 0.2, "threads": 1, "pictures": False, "seed": 5, "limit": 1}
    out = tmp_path / "by-function"
    certify_many(model, pictures, preset=preset, out=out, **words, **given)
    found = json.loads((out / "run.json").read_text())["parameters"]
    assert found == parameters("--preset", preset, *(("--n", "120") if given else ()))


def test_a_misspelt_preset_is_refused_by_the_function_too(model: Path, pictures: Path) -> None:
    with pytest.raises(ParameterError, match="preset must be one of paper, quick, strict"):
        certify_many(model, pictures, preset="papr")
