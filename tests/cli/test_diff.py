"""`onnxcert diff` says every parameter and every component in which two runs differ."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest
from drawing import write_picture
from PIL import Image

from onnxcert import ABSTAIN, ResultStore
from onnxcert.cli import run_command_line

CERTIFY = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--seed", "5", "--no-pictures")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs over labelled pictures: A of three, B of two with a stricter tau and another model.

    The run `bright` is of a model that calls everything bright.
    """
    folder = tmp_path_factory.mktemp("made")
    (folder / "pictures").mkdir()
    (folder / "truth").mkdir()
    truth = np.zeros((12, 16), np.uint8)
    truth[:, 8:] = 1
    for i in range(3):
        write_picture(folder / "pictures" / f"p{i}.png", seed=i)
        Image.fromarray(truth).save(folder / "truth" / f"p{i}.png")
    graphs.save(graphs.threshold(), folder / "a.onnx")
    graphs.save(graphs.threshold(0.3), folder / "b.onnx")
    graphs.save(graphs.threshold(-1.0), folder / "bright.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runs = {"a": (), "b": ("--tau", "0.8", "--limit", "2"), "bright": ()}
        for name, further in runs.items():
            arguments = [f"{name}.onnx", "pictures", "--labels", "truth", *CERTIFY, *further]
            assert run_command_line(["certify", *arguments, "--out", name]) == 0
        assert run_command_line(["pack", "b", "b.h5"]) == 0
    return folder


@pytest.fixture(autouse=True)
def bench(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(made, tmp_path / "bench")
    monkeypatch.chdir(folder)
    return folder


def test_a_run_does_not_differ_from_itself(onnxcert: Any) -> None:
    found = onnxcert("diff", "b", "b.h5", "--json").json
    assert found["parameters"] == {}
    assert (found["only_a"], found["only_b"]) == ([], [])
    assert [d["differing"] for d in found["inputs"]] == [0, 0]
    assert all(d["same_input"] for d in found["inputs"])
    for score in ("radius", "accuracy", "miou", "abstain", "clean_accuracy", "clean_miou"):
        assert found["scores"][score]["difference"] == 0
    text = onnxcert("diff", "b", "b.h5")
    assert (text.status, text.err) == (0, "")
    assert "every parameter is the same" in text.out


@pytest.mark.parametrize("b", ["b", "b.h5"])
def test_every_parameter_that_differs_is_there_and_no_other(onnxcert: Any, b: str) -> None:
    found = onnxcert("diff", "a", b, "--json").json
    assert set(found["parameters"]) == {"model", "tau"}
    assert found["parameters"]["tau"] == {"a": 0.75, "b": 0.8}
    assert found["only_a"] == ["p2"]
    assert found["only_b"] == []


def test_scores_are_those_of_the_inputs_in_common(onnxcert: Any) -> None:
    found = onnxcert("diff", "a", "b", "--json").json
    assert len(found["inputs"]) == 2
    scores = found["scores"]
    truth = np.zeros((12, 16), np.int64)
    truth[:, 8:] = 1
    for run in ("a", "b"):
        labels = [ResultStore(run).read(name).labels for name in ("p0", "p1")]
        assert scores["accuracy"][run] == pytest.approx(np.mean([t == truth for t in labels]))
        assert scores["abstain"][run] == pytest.approx(np.mean([t == ABSTAIN for t in labels]))
    for score in ("radius", "accuracy", "miou", "abstain"):
        values = scores[score]
        assert values["difference"] == pytest.approx(values["b"] - values["a"])
    assert scores["radius"]["difference"] > 0


@pytest.mark.parametrize(
    ("other", "expected"), [("b", {"only_a", "only_b"}), ("bright", {"other_class", "only_b"})]
)
def test_components_that_differ_are_counted_by_kind(
    onnxcert: Any, other: str, expected: set[str]
) -> None:
    found = onnxcert("diff", "a", other, "--json").json
    seen = set()
    for difference in found["inputs"]:
        a, b = (ResultStore(run).read(difference["name"]).labels for run in ("a", other))
        kinds = {
            "other_class": (a != b) & (a != ABSTAIN) & (b != ABSTAIN),
            "only_a": (a != ABSTAIN) & (b == ABSTAIN),
            "only_b": (a == ABSTAIN) & (b != ABSTAIN),
        }
        for kind, where in kinds.items():
            assert difference[kind] == where.sum(), kind
            seen |= {kind} if where.any() else set()
        assert difference["differing"] == (a != b).sum()
        assert difference["share"] == pytest.approx(np.mean(a != b))
    assert seen == expected  # the kinds that were there to be counted
    back = onnxcert("diff", other, "a", "--json").json
    for one, other in zip(found["inputs"], back["inputs"], strict=True):
        assert (one["only_a"], one["only_b"]) == (other["only_b"], other["only_a"])
        assert one["other_class"] == other["other_class"]


def test_the_table_shows_the_same_numbers(onnxcert: Any) -> None:
    found = onnxcert("diff", "a", "b", "--json").json
    lines = [line.split() for line in onnxcert("diff", "a", "b").out.splitlines()]
    assert ["tau", "0.75", "0.8"] in lines
    assert ["only", "in", "A:", "p2"] in lines
    for d in found["inputs"]:
        counts = [str(d[key]) for key in ("components", "other_class", "only_a", "only_b")]
        assert [d["name"], *counts, str(d["differing"]), "=", f"{d['share']:.2%}"] in lines
    abstain = found["scores"]["abstain"]
    numbers = [f"{abstain['a']:.3f}", f"{abstain['b']:.3f}", f"{abstain['difference']:+.3f}"]
    assert ["abstain", *numbers] in lines
    (radius,) = (line for line in lines if line[:1] == ["radius"])
    for run, shown in zip(("a", "b"), radius[1:3], strict=True):
        # Never shown larger than it is.
        exact = found["scores"]["radius"][run]
        assert 0.999 * exact < float(shown) <= exact


def test_another_picture_or_grid_under_the_same_name_is_said(onnxcert: Any) -> None:
    write_picture(Path("pictures/p0.png"), seed=9)
    write_picture(Path("pictures/p1.png"), seed=9, height=10)
    assert onnxcert("certify", "a.onnx", "pictures", *CERTIFY, "--out", "c").status == 0
    p0, p1, p2 = onnxcert("diff", "a", "c", "--json").json["inputs"]
    assert (p0["same_input"], p1["same_input"], p2["same_input"]) == (False, False, True)
    assert p0["components"] == 192
    assert {p1[key] for key in ("components", "differing", "share", "only_a")} == {None}
    text = onnxcert("diff", "a", "c").out
    assert "p0 (another input)" in text
    assert "other grid" in text


def test_runs_without_a_common_input_are_compared_by_their_own(onnxcert: Any) -> None:
    Path("pictures/p2.png").rename("other.png")
    assert onnxcert("certify", "a.onnx", "other.png", *CERTIFY, "--out", "c").status == 0
    outcome = onnxcert("diff", "a", "c")
    assert outcome.status == 0
    assert "no input in common" in outcome.out
    found = onnxcert("diff", "a", "c", "--json").json
    assert (found["inputs"], found["only_b"]) == ([], ["other"])
    # Run C has no labels.
    assert found["scores"]["accuracy"]["b"] is None
    assert found["scores"]["accuracy"]["difference"] is None
    assert found["scores"]["radius"]["difference"] == 0


def test_fields_of_the_contract_are_parameters(onnxcert: Any) -> None:
    outcome = onnxcert(
        *("certify", "a.onnx", "pictures", *CERTIFY, "--labels", "truth", "--out", "c"),
        *("--channel-order", "BGR"),
    )
    assert outcome.status == 0, outcome.err
    found = onnxcert("diff", "a", "c", "--json").json["parameters"]
    assert found == {"contract.channel_order": {"a": "RGB", "b": "BGR"}}


@pytest.mark.parametrize(
    "arguments", [("a",), ("a", "nowhere"), ("a", "pictures"), ("a.onnx", "b"), ()]
)
def test_a_wrong_argument_is_one_sentence(onnxcert: Any, arguments: tuple[str, ...]) -> None:
    outcome = onnxcert("diff", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("onnxcert: ")
    assert outcome.err.count("\n") == 1


def test_a_damaged_record_is_one_sentence(onnxcert: Any) -> None:
    with h5py.File("b/inputs/p1.h5", "r+") as file:
        del file["certificate/labels"]
    outcome = onnxcert("diff", "a", "b")
    assert outcome.status == 2
    assert "the record p1 in b has changed since it was written" in outcome.err
