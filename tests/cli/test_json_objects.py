"""`--json` of the commands that certify nothing: inspect, merge, pack, study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import pytest
from json_schema import check_object
from pointgraphs import of_category

from onnxcert import ResultStore
from onnxcert.report.objects.calibration import calibration_object
from onnxcert.simulation.calibration import Row

QUICK = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--seed", "5", "--no-pictures")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


def test_inspect_gives_each_field_with_its_source(model: Path, onnxcert: Any) -> None:
    outcome = onnxcert("inspect", model, "--channel-order", "BGR", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = outcome.json
    assert (found["modality"], found["tried"], found["refused"]) == ("image", True, None)
    assert found["model"]["file"] == str(model)
    assert found["input_shape"][1] == 3
    assert found["contract"]["channel_order"]["value"] == "BGR"
    assert found["contract"]["channel_order"]["source"]
    table = onnxcert("inspect", model, "--channel-order", "BGR").out
    for name, field in found["contract"].items():
        assert f"\n{name} " in table
        assert field["source"] is None or f"({field['source']})" in table
        assert (name in found["assumed"]) == (field["source"] == "assumed")


def test_inspect_of_points(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(of_category(), tmp_path / "points.onnx")
    found = onnxcert("inspect", path, "--json").json
    assert found["modality"] == "points"
    assert found["contract"]["frame"]["value"]


def test_inspect_names_what_is_missing(tmp_path: Path, onnxcert: Any) -> None:
    """The values of missing fields are provisional: they are not given."""
    path = graphs.save(graphs.identity(["n", 3, "h", "w"]), tmp_path / "plain.onnx")
    outcome = onnxcert("inspect", path, "--json")
    assert outcome.status == 2
    found = outcome.json
    assert "value_range" in found["missing"]
    for name in found["missing"]:
        assert found["contract"][name] == {"value": None, "source": None}
        assert name not in found["assumed"]
    assert (found["tried"], bool(found["refused"])) == (None, True)


def test_inspect_gives_the_findings_that_refuse_a_model(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(graphs.random_operator("RandomNormalLike"), tmp_path / "random.onnx")
    outcome = onnxcert("inspect", path, "--json")
    found = outcome.json
    assert [finding["severity"] for finding in found["findings"]] == ["error"]
    assert outcome.refusal == f"onnxcert: {found['refused']}\n"


def test_merge_and_pack_say_what_they_wrote(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    shards = [tmp_path / str(number) for number in (1, 2)]
    for number, shard in enumerate(shards, 1):
        words = (*QUICK, "--shard", f"{number}/2", "--out", shard)
        assert onnxcert("certify", model, pictures, *words).status == 0
    out = tmp_path / "out"
    outcome = onnxcert("merge", out, shards[0], "--json")
    found = outcome.json
    assert outcome.status == 3
    assert (found["finished"], found["listed"], found["missing"]) == (2, 3, ["p1"])
    assert found["missing_by_shard"] == {"2/2": 1}
    assert found["run"]["inputs"]["finished"] == 2
    outcome = onnxcert("merge", out, shards[1], "--json")
    found = outcome.json
    assert (outcome.status, outcome.err) == (0, "")
    assert (found["finished"], found["missing"], found["skipped"]) == (3, [], [])
    report = onnxcert("report", out, "--json").json
    same = ("rule", "draws", "guarantee", "certified")
    assert {key: found["run"][key] for key in same} == {key: report[key] for key in same}

    packed = tmp_path / "packed.h5"
    found = onnxcert("pack", out, packed, "--json").json
    assert found["records"] == len(ResultStore(out)) == 3
    assert (found["out"], found["bytes"]) == (str(packed), packed.stat().st_size)


@pytest.mark.slow
def test_study_lists_its_files(tmp_path: Path, onnxcert: Any) -> None:
    outcome = onnxcert("study", "--out", tmp_path, "--resolution", 0.01, "--seed", 3, "--json")
    found = outcome.json
    assert (found["seed"], found["calibration"]) == (3, None)
    assert {Path(file) for file in found["files"]} == set(tmp_path.iterdir())


@pytest.mark.slow
def test_study_gives_the_verdicts_of_the_calibration(onnxcert: Any) -> None:
    """A hundred repetitions are too few to expose the rules at 1.25 alpha: exit status 1."""
    outcome = onnxcert("study", "--calibrate", "--repetitions", 100, "--json")
    found = outcome.json["calibration"]
    assert outcome.status == (0 if found["as_expected"] else 1)
    assert found["as_expected"] == all(row["as_expected"] for row in found["rows"])
    assert {row["invalid"] for row in found["rows"]} == {True, False}
    assert all((row["verdict"] == "REJECTED") <= (not row["as_expected"]) for row in found["rows"])


def test_a_rule_that_errs_too_often_is_not_as_expected() -> None:
    rows = [
        Row("design", "blocks", 0.1, None, 0.1, 0.5),
        Row("design", "blocks", 0.1, None, 0.2, 0),
    ]
    found = calibration_object(rows)
    assert [row["verdict"] for row in found["rows"]] == ["holds", "REJECTED"]
    assert not found["as_expected"]
    assert calibration_object(rows[:1])["as_expected"]
    check_object({"version": 1, "command": "study", "seed": 0, "files": [], "calibration": found})
