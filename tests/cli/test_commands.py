"""The commands say what they did: table, JSON, exit status, and nothing where nothing is due."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from json_schema import check_object
from PIL import Image
from waiting import LIMIT

from onnxcert import Gaussian, ResultStore

BASE = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--seed", "5")
QUICK = (*BASE, "--no-pictures")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


@pytest.fixture
def labels(tmp_path: Path, pictures: Path) -> Path:
    """The truth: dark is 0, bright is 1, and the last row is not labelled (9)."""
    folder = tmp_path / "labels"
    folder.mkdir()
    for path in pictures.iterdir():
        truth = np.zeros((12, 16), np.uint8)
        truth[:, 8:] = 1
        truth[-1] = 9
        Image.fromarray(truth).save(folder / path.name)
    return folder


def python(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((root, *sys.path))}
    return subprocess.run(
        [sys.executable, "-m", "onnxcert", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
        timeout=LIMIT,
    )


# -- JSON ----------------------------------------------------------------------------------------


def test_json_is_one_object_with_every_number(
    model: Path, pictures: Path, labels: Path, tmp_path: Path, onnxcert: Any
) -> None:
    outcome = onnxcert(
        *("certify", model, pictures, *QUICK, "--json", "--out", tmp_path / "out"),
        *("--labels", labels, "--ignore-label", "9"),
    )
    assert (outcome.status, outcome.err) == (0, "")
    result = outcome.json
    assert {"version", "command"} <= set(result)
    assert result["model"]["file"] == str(model)
    inputs, draws, rule = result["inputs"], result["draws"], result["rule"]
    assert (inputs["finished"], inputs["listed"], inputs["components"]) == (3, 3, 192)
    assert (draws["passes"], draws["most_passes"]) == (60, 60)
    assert result["perturbation"] == {
        "kind": "gaussian",
        "sigma": 0.2,
        "unit": "pixel values in [0, 1] at native resolution",
        "on": None,
    }
    assert (rule["taus"], rule["alpha"], rule["alpha_scope"]) == ([0.75], 0.001, "input")
    assert (draws["n"], draws["n0"], draws["seed"]) == (60, 10, 5)
    assert (draws["selection"], rule["correction"]) == ("pooled", "holm")
    assert result["certified"]["radius"] == pytest.approx(Gaussian(0.2).radius(0.75))
    assert set(result["clean"]) == set(result["noisy"]) == {"accuracy", "miou"}
    assert result["taus"] == [result["certified"]]
    assert 0 < result["certified"]["accuracy"] <= result["clean"]["accuracy"] <= 1
    assert result["certified"]["accuracy_certified"] == 1
    assert 0 < result["certified"]["abstain"] < 0.5
    assert (inputs["skipped"], draws["not_finite"], result["warnings"]) == ([], 0, [])
    assert result["out"] == str(tmp_path / "out")
    seconds = result["seconds"]
    assert {"total", "forward", "startup", "report"} <= set(seconds)
    assert all(value >= 0 for value in seconds.values())
    assert seconds["forward"] + seconds["startup"] + seconds["report"] <= seconds["total"] + 0.01


def test_split_selection_runs_n0_more_passes(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    result = onnxcert(
        *("certify", model, pictures, *QUICK, "--json", "--out", tmp_path / "out"),
        *("--selection", "split", "--limit", "1"),
    ).json["draws"]
    assert (result["n"], result["n0"], result["passes"]) == (60, 10, 70)


def test_scores_are_those_of_the_stored_labels(
    model: Path, pictures: Path, labels: Path, tmp_path: Path, onnxcert: Any
) -> None:
    out = tmp_path / "out"
    result = onnxcert(
        *("certify", model, pictures, *QUICK, "--json", "--out", out),
        *("--labels", labels, "--ignore-label", "9"),
    ).json
    truth = np.stack([np.asarray(Image.open(p)) for p in sorted(labels.iterdir())])
    certified = np.stack([np.load(p) for p in sorted((out / "labels").glob("*.npy"))])
    counted = truth != 9
    right = (certified == truth) & counted
    assert result["certified"]["accuracy"] == pytest.approx(right.sum() / counted.sum())
    assert result["certified"]["abstain"] == pytest.approx((certified == -1).mean())
    iou = [
        (right & (truth == c)).sum() / ((certified == c) & counted | (truth == c)).sum()
        for c in (0, 1)
    ]
    assert result["certified"]["miou"] == pytest.approx(np.mean(iou))


def test_rows_that_do_not_apply_are_null(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    out = tmp_path / "out"
    result = onnxcert("certify", model, pictures, *QUICK, "--json", "--out", out).json
    assert result["clean"] is None
    assert result["noisy"] is None
    assert result["certified"]["accuracy"] is None
    assert result["certified"]["miou"] is None
    assert result["certified"]["accuracy_certified"] is None
    assert 0 < result["certified"]["abstain"] < 1


def test_the_other_models_row_is_there_when_it_is_asked_for(
    model: Path, pictures: Path, labels: Path, tmp_path: Path, onnxcert: Any
) -> None:
    contrary = graphs.save(
        graphs.conv(
            2, weight=np.array([8.0, 0.0]).reshape(2, 1, 1, 1).repeat(3, axis=1) / 3,
            bias=np.array([-4.0, 0.0]), contract=graphs.UNIT_RANGE,
        ),
        tmp_path / "contrary.onnx",
    )  # fmt: skip
    command = (
        *("certify", model, pictures, *QUICK, "--out", tmp_path / "out", "--labels", labels),
        *("--ignore-label", "9", "--nonrobust", contrary),
    )
    result = onnxcert(*command, "--json").json
    assert result["nonrobust"]["accuracy"] == pytest.approx(1 - result["clean"]["accuracy"])
    assert "non-robust" in onnxcert(*command).out


def test_the_same_seed_gives_the_same_numbers_whatever_the_batch(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    results = []
    for size in (1, 7):
        out = tmp_path / str(size)
        command = ("certify", model, pictures, *QUICK, "--json", "--out", out)
        results.append(onnxcert(*command, "--batch-size", size).json)
    statements = [result["guarantee"].pop("statement") for result in results]
    for result in results:
        del result["seconds"], result["out"]
    assert results[0] == results[1]
    # The statement says what rules out a leak between batch mates, and nothing else differs.
    assert statements[0].replace("one draw a pass]", "leak check 29 draws]") == statements[1]


# -- the table -----------------------------------------------------------------------------------


def test_the_table_and_the_guarantee_under_it(
    model: Path, pictures: Path, labels: Path, tmp_path: Path, onnxcert: Any
) -> None:
    outcome = onnxcert(
        *("certify", model, pictures, *QUICK, "--out", tmp_path / "out"),
        *("--labels", labels, "--ignore-label", "9"),
    )
    assert outcome.status == 0
    coverage, _, head, _, *rows = outcome.out.splitlines()
    assert coverage == "3 inputs certified"
    for column in ("certified radius", "pixel accuracy", "mIoU", "abstained"):
        assert column in head
    assert [re.split(r"\s{2,}", row)[0] for row in rows[:3]] == [
        "clean",
        "base (one noisy pass)",
        "certified",
    ]
    assert rows[2].split()[1] == "0.1348"  # of 0.13490, down: never more than is proved
    assert "Of the certified pixels that have a label, " in outcome.out
    assert "With probability at least 1 - 0.001" in outcome.out
    for number in ("sigma 0.2", "tau 0.75", "alpha 0.001", "n 60", "N 192", "correction holm"):
        assert number in outcome.out


def test_report_prints_the_table_of_certify_from_the_store_alone(
    model: Path, pictures: Path, labels: Path, tmp_path: Path, onnxcert: Any
) -> None:
    out = tmp_path / "out"
    command = ("certify", model, pictures, *QUICK, "--out", out, "--labels", labels)
    certified = onnxcert(*command, "--ignore-label", "9", "--per-class")
    result = onnxcert(*command, "--ignore-label", "9", "--json").json
    model.unlink()
    for path in (*pictures.iterdir(), *labels.iterdir()):
        path.unlink()
    report = onnxcert("report", out, "--per-class")
    assert report.status == 0
    assert certified.out.startswith(report.out.rstrip())
    again = onnxcert("report", out, "--json").json
    assert set(again) == set(result)
    for key in set(result) - {"seconds", "command"}:
        assert again[key] == result[key], key


def test_per_class_names_every_class(
    model: Path, pictures: Path, labels: Path, tmp_path: Path, onnxcert: Any
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("shade\nlight\n")
    outcome = onnxcert(
        *("certify", model, pictures, *QUICK, "--out", tmp_path / "out", "--per-class"),
        *("--labels", labels, "--ignore-label", "9", "--class-names", names),
    )
    lines = [line.split() for line in outcome.out.splitlines()]
    for name in ("shade", "light"):
        (row,) = (line for line in lines if line[:1] == [name])
        assert len(row) == 4
        assert all(0 < float(value) <= 1 for value in row[1:])


def test_when_everything_abstains_the_run_succeeds_and_says_why(
    pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    # A threshold far above what the noise can reach decides nothing; one in its midst does.
    grey = tmp_path / "grey.npy"
    np.save(grey, np.full((12, 16), 0.5, np.float32))
    model = graphs.save(graphs.threshold(0.5), tmp_path / "model.onnx")
    outcome = onnxcert("certify", model, grey, *QUICK, "--out", tmp_path / "out")
    assert outcome.status == 0
    assert "everything abstains" in outcome.out
    assert "under this noise" in outcome.out
    result = onnxcert("certify", model, grey, *QUICK, "--json", "--out", tmp_path / "out").json
    assert result["certified"]["abstain"] == 1
    assert any("everything abstains" in warning for warning in result["warnings"])
    assert pictures.exists()


def test_a_model_of_nan_abstains_and_says_that_its_output_was_not_finite(
    pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    model = graphs.save(
        graphs.poisoned(float("nan"), level=-1e9, channels=[0]), tmp_path / "model.onnx"
    )
    command = ("certify", model, pictures, *QUICK, "--out", tmp_path / "out")
    result = onnxcert(*command, "--json").json
    assert result["certified"]["abstain"] == 1
    assert result["draws"]["not_finite"] == 3 * 192 * 60
    assert any("not finite" in warning for warning in result["warnings"])
    assert "not finite" in onnxcert(*command).out


# -- inputs that cannot be used ------------------------------------------------------------------


def spoil(folder: Path, kind: str) -> str:
    path = folder / "p1.png"
    match kind:
        case "text":
            path.write_text("no picture")
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(path.read_bytes()[:150])
        case "beyond white":
            path.unlink()
            np.save(folder / "p1.npy", np.full((3, 12, 16), 1.5, np.float32))
        case "NaN":
            path.unlink()
            np.save(folder / "p1.npy", np.full((3, 12, 16), np.nan, np.float32))
    return "p1"


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "beyond white", "NaN"])
def test_one_unreadable_picture_is_reported_by_name_and_the_others_are_done(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any, kind: str
) -> None:
    name = spoil(pictures, kind)
    out = tmp_path / "out"
    outcome = onnxcert("certify", model, pictures, *QUICK, "--json", "--out", out)
    assert outcome.status == 3
    assert outcome.json["inputs"]["finished"] == 2
    (skipped,) = outcome.json["inputs"]["skipped"]
    assert skipped["name"] == name
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith(f"onnxcert: skipped {name}: ")
    assert ResultStore(out).names() == ["p0", "p2"]


def test_a_picture_of_a_size_that_the_model_does_not_take_is_skipped(
    pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    Image.new("RGB", (8, 8)).save(pictures / "small.png")
    model = graphs.save(graphs.threshold(size=(12, 16)), tmp_path / "model.onnx")
    out = tmp_path / "out"
    outcome = onnxcert("certify", model, pictures, *QUICK, "--json", "--out", out)
    assert outcome.status == 3
    assert [each["name"] for each in outcome.json["inputs"]["skipped"]] == ["small"]
    assert outcome.json["inputs"]["finished"] == 3


def test_a_mended_picture_is_done_by_the_same_command(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    whole = (pictures / "p1.png").read_bytes()
    command = ("certify", model, pictures, *QUICK, "--json", "--out", tmp_path / "out")
    spoil(pictures, "text")
    assert onnxcert(*command).status == 3
    (pictures / "p1.png").write_bytes(whole)
    again = onnxcert(*command)
    assert (again.status, again.json["inputs"]["finished"]) == (0, 3)


# -- files, selection, defaults ------------------------------------------------------------------


def test_every_input_has_its_record_labels_and_picture(
    model: Path, pictures: Path, labels: Path, tmp_path: Path, onnxcert: Any
) -> None:
    out = tmp_path / "out"
    command = ("certify", model, pictures, *BASE, "--out", out, "--limit", "1")
    assert onnxcert(*command, "--labels", labels, "--ignore-label", "9").status == 0
    files = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert files - {".lock"} == {
        "run.json",
        "results.h5",
        "index.jsonl",
        "inputs/p0.h5",
        "labels/p0.png",
        "labels/p0.npy",
        "pictures/p0.png",
    }
    with Image.open(out / "pictures" / "p0.png") as sheet:
        sheet.load()
        assert sheet.width > 5 * 16


def test_limit_and_every_choose_the_inputs(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    for flags, names in (
        (("--limit", "2"), ["p0", "p1"]),
        (("--every", "2"), ["p0", "p2"]),
        (("--every", "2", "--limit", "1"), ["p0"]),
    ):
        out = tmp_path / "-".join(flags)
        command = ("certify", model, pictures, *QUICK, *flags, "--json", "--out", out)
        assert onnxcert(*command).json["inputs"]["finished"] == len(names)
        assert ResultStore(out).names() == names


def test_sigma_comes_from_the_model_unless_it_is_given(
    pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    contract = {**graphs.UNIT_RANGE, "trained_sigma": 0.125}
    model = graphs.save(graphs.threshold(contract=contract), tmp_path / "model.onnx")
    command = ("certify", model, pictures, "--limit", "1", "--no-pictures", "--json", "--out")
    assert onnxcert(*command, tmp_path / "a").json["perturbation"]["sigma"] == 0.125
    assert onnxcert(*command, tmp_path / "b", "--sigma", "0.2").json["perturbation"]["sigma"] == 0.2


def test_defaults_are_those_of_the_method(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    command = ("certify", model, pictures, "--sigma", "0.2", "--limit", "1", "--no-pictures")
    result = onnxcert(*command, "--json", "--out", tmp_path / "out").json
    rule, draws = result["rule"], result["draws"]
    assert (draws["n"], draws["n0"], draws["selection"]) == (100, 10, "pooled")
    assert (rule["taus"], rule["alpha"], rule["alpha_scope"]) == ([0.75], 0.001, "input")
    assert rule["correction"] == "holm"


def test_without_out_each_set_of_parameters_has_a_folder_of_its_own(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ("certify", model, pictures, *QUICK, "--limit", "1", "--json")
    first, again = onnxcert(*command).json, onnxcert(*command).json
    other = onnxcert(*command, "--tau", "0.7").json
    assert first["out"] == again["out"] != other["out"]
    assert (tmp_path / first["out"] / "run.json").exists()


def test_samples_beside_the_model_are_the_inputs_when_none_are_named(
    pictures: Path, labels: Path, tmp_path: Path, onnxcert: Any
) -> None:
    model = graphs.save(graphs.threshold(), tmp_path / "shipped" / "model.onnx")
    samples = model.parent / "samples"
    samples.mkdir()
    pictures.rename(samples / "images")
    labels.rename(samples / "labels")
    result = onnxcert(
        "certify", model, *QUICK, "--ignore-label", "9", "--json", "--out", tmp_path / "out"
    ).json
    assert result["inputs"]["finished"] == 3
    assert result["certified"]["accuracy"] > 0.5


def test_warnings_of_the_lint_are_told(pictures: Path, tmp_path: Path, onnxcert: Any) -> None:
    model = graphs.save(graphs.batch_mates_leak(), tmp_path / "model.onnx")
    command = ("certify", model, pictures, *QUICK, "--limit", "1", "--out", tmp_path / "out")
    assert "one draw per pass" in onnxcert(*command).out
    assert any("one draw per pass" in w for w in onnxcert(*command, "--json").json["warnings"])


# -- inspect -------------------------------------------------------------------------------------


def test_inspect_prints_every_field_with_its_source(tmp_path: Path, onnxcert: Any) -> None:
    contract = {**graphs.UNIT_RANGE, "class_names": ["dark", "bright"], "trained_sigma": 0.25}
    model = graphs.save(graphs.threshold(contract=contract, batch=1), tmp_path / "model.onnx")
    outcome = onnxcert("inspect", model, "--mean", "0.4,0.4,0.4")
    assert (outcome.status, outcome.err) == (0, "")
    rows = {line.split()[0]: line for line in outcome.out.splitlines() if line.strip()}
    for field, value, source in (
        ("input", "image", "the graph"),
        ("output", "scores", "the graph"),
        ("batch", "1", "the graph"),
        ("size", "free", ""),
        ("classes", "2", "trial passes"),
        ("value_range", "0, 1", "the file's metadata"),
        ("class_names", "dark, bright", "the file's metadata"),
        ("trained_sigma", "0.25", "the file's metadata"),
        ("mean", "0.4, 0.4, 0.4", "given"),
        ("std", "none", ""),
        ("channel_order", "RGB", "assumed"),
    ):
        assert value in rows[field]
        assert source in rows[field]
    assert "nothing found" in outcome.out


def test_inspect_names_the_question_that_is_open(tmp_path: Path, onnxcert: Any) -> None:
    model = graphs.save(graphs.conv(), tmp_path / "model.onnx")
    outcome = onnxcert("inspect", model)
    assert outcome.status == 2  # as certify refuses it
    assert re.search(r"^value_range +open$", outcome.out, re.MULTILINE)
    assert "--range 0,1" in outcome.err
    assert onnxcert("inspect", model, "--range", "0,255").status == 0


# -- the program itself --------------------------------------------------------------------------


def options(command: str) -> Sequence[str]:
    from onnxcert.cli import load_command

    return [name for p in load_command(command).params for name in p.opts if name[0] == "-"]


@pytest.mark.parametrize("command", ["certify", "report", "inspect"])
def test_help_mentions_every_option(command: str, onnxcert: Any) -> None:
    outcome = onnxcert(command, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    for option in options(command):
        assert option in outcome.out


def test_help_mentions_every_command(onnxcert: Any) -> None:
    text = onnxcert("--help").out
    for command in ("certify", "report", "inspect"):
        assert command in text


def test_version(onnxcert: Any) -> None:
    from onnxcert import __version__

    outcome = onnxcert("--version")
    assert (outcome.status, outcome.out, outcome.err) == (0, f"onnxcert {__version__}\n", "")


def test_without_arguments_the_help_is_printed(onnxcert: Any) -> None:
    outcome = onnxcert()
    assert (outcome.status, outcome.out, outcome.err) == (0, onnxcert("--help").out, "")


@pytest.mark.slow
def test_as_a_module_in_a_process_of_its_own(model: Path, pictures: Path, tmp_path: Path) -> None:
    done = python(*("certify", model, pictures, *QUICK, "--json", "--out", "results"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    check_object(json.loads(done.stdout))
    assert done.stdout.count("\n") == 1
    assert (tmp_path / "results" / "results.h5").exists()


@pytest.mark.slow
def test_as_a_module_a_refusal_has_its_exit_status(tmp_path: Path) -> None:
    done = python("certify", "nothing.onnx", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("onnxcert: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_where_no_person_watches_there_is_no_progress_bar(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    done = python("certify", model, pictures, *QUICK, "--out", tmp_path / "out")
    assert done.returncode == 0
    for trace in ("\x1b", "\r", "draws/s", "━", "time left"):
        assert trace not in done.stderr + done.stdout


@pytest.mark.slow
def test_a_reader_that_hangs_up_is_no_error(
    model: Path, pictures: Path, tmp_path: Path, onnxcert: Any
) -> None:
    out = tmp_path / "out"
    assert onnxcert("certify", model, pictures, *QUICK, "--out", out).status == 0
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-m", "onnxcert", "report", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((root, *sys.path))},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
