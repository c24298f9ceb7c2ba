"""What `--json` prints follows the published schema (`Outcome.json` checks every object)."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import graphs
import pytest
from json_schema import SCHEMA, check_object, validator

from onnxcert.cli import COMMANDS, load_command
from onnxcert.cli.json_output import VERSION

QUICK = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--seed", "5", "--no-pictures", "--json")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


@pytest.fixture
def found(model: Path, pictures: Path, tmp_path: Path, onnxcert: Any) -> dict[str, Any]:
    outcome = onnxcert("certify", model, pictures, *QUICK, "--out", tmp_path / "out")
    value: dict[str, Any] = outcome.json
    return value


def test_every_command_has_the_option_and_a_schema() -> None:
    for name in COMMANDS:
        flags = [flag for parameter in load_command(name).params for flag in parameter.opts]
        assert "--json" in flags, name
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert set(schema["properties"]["command"]["enum"]) == set(COMMANDS) <= set(schema["$defs"])
    assert schema["properties"]["version"]["const"] == VERSION
    assert SCHEMA.name == f"onnxcert-{VERSION}.json"


def test_an_object_of_certify_is_refused_if_anything_is_missing_or_added(
    found: dict[str, Any],
) -> None:
    """Objects require all their keys; only those whose keys depend on a kind allow others."""

    def paths(value: Any, path: tuple[Any, ...] = ()) -> Any:
        if isinstance(value, dict):
            yield path
            for key, inner in value.items():
                yield from paths(inner, (*path, key))
        elif isinstance(value, list) and value:
            yield from paths(value[0], (*path, 0))

    def at(value: Any, path: tuple[Any, ...]) -> Any:
        for key in path:
            value = value[key]
        return value

    check_object(found)
    seen = list(paths(found))
    assert len(seen) > 10
    for path in seen:
        changed = copy.deepcopy(found)
        at(changed, path)["unknown"] = 1
        # Kinds of noise have parameters of their own.
        assert validator().is_valid(changed) == (path == ("perturbation",)), path
        for key in at(found, path):
            missing = copy.deepcopy(found)
            del at(missing, path)[key]
            assert not validator().is_valid(missing), (*path, key)
    for wrong in ({"version": 2}, {"command": "verify"}, {"certified": {}}, {"taus": []}):
        assert not validator().is_valid({**found, **wrong}), wrong


def test_noise_on_channels_is_one_part_of_the_perturbation(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    command = ("certify", model, pictures, *QUICK, "--out", tmp_path / "out", "--on", "0:2")
    outcome = onnxcert(*command)
    assert outcome.status == 0, outcome.err
    assert outcome.json["perturbation"] == {
        "kind": "gaussian",
        "sigma": 0.2,
        "unit": "pixel values in [0, 1] at native resolution",
        "on": {"channels": [0, 1], "name": ""},
    }


def test_the_guarantee_and_why_things_abstain_are_those_of_the_table(
    found: dict[str, Any], tmp_path: Path, onnxcert: Any
) -> None:
    guarantee, abstention = found["guarantee"], found["abstention"]
    assert sum(abstention["causes"].values()) == abstention["abstained"]
    assert abstention["abstained"] / abstention["components"] == found["certified"]["abstain"]
    assert [each["name"] for each in abstention["inputs"]] == ["p0", "p1", "p2"]
    for name, count in abstention["causes"].items():
        assert count == sum(each["causes"][name] for each in abstention["inputs"])
    text = onnxcert("report", tmp_path / "out").out
    order = [text.index(abstention["text"]), text.index(guarantee["sentence"])]
    order.append(text.index(guarantee["statement"]))
    assert order == sorted(order)
    detailed = onnxcert("report", tmp_path / "out", "--per-class").out
    for each in abstention["inputs"]:
        assert each["text"] == "" or f"{each['name']}: {each['text']}" in detailed


def test_the_page_about_json_names_every_key_of_a_run(found: dict[str, Any]) -> None:
    page = (SCHEMA.parents[1] / "json.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_0-9]+)`", page))
    assert set(found) <= named
    assert set(found["abstention"]["causes"]) <= named
