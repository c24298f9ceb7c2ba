"""Options in a file: what was asked runs again, and whatever is wrong is one sentence."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxcert.cli import load_command
from onnxcert.cli.config import read_config, write_config

SMALL = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--no-pictures", "--limit", "1")
PARAMETERS = load_command("certify").params


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model, pictures, labels and a list of ignored values."""
    graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    (tmp_path / "labels").mkdir()
    for picture in pictures.iterdir():
        np.save(tmp_path / "labels" / f"{picture.stem}.npy", np.full((12, 16), 254, np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stored(out: str) -> Any:
    run = json.loads(Path(out, "run.json").read_text())
    return run["seed"], run["parameters"]


ASKED = (
    (*("model.onnx", "pictures"), *SMALL),
    (*("model.onnx", "pictures/p0.png", "pictures/p?.png"), *SMALL, "--flip", "--json"),
    (*("model.onnx", "pictures", "--labels", "labels"), *SMALL, "--ignore-label", "254,255"),
    (*("model.onnx", "pictures"), *SMALL, "--preset", "paper", "--tau", "0.6,0.75"),
    (*("model.onnx", "pictures"), *SMALL, "--range", "0,1", "--alpha", "1e-2", "--scales", "1,2"),
)


@pytest.mark.parametrize("asked", ASKED, ids=range(len(ASKED)))
@pytest.mark.parametrize(
    "file", ["run.toml", pytest.param("below/run.toml", marks=pytest.mark.slow)]
)
def test_a_saved_command_runs_again_with_the_same_parameters_in_the_same_folder(
    onnxcert: Any, asked: tuple[str, ...], file: str
) -> None:
    Path("below").mkdir()
    first = onnxcert("certify", *asked, "--save-config", file)
    assert first.status == 0, first.err
    (out,) = Path("onnxcert-results").iterdir()
    before = stored(str(out))
    again = onnxcert("certify", "--config", file)
    assert again.status == 0, again.err
    assert list(Path("onnxcert-results").iterdir()) == [out]
    assert stored(str(out)) == before  # the seed, too
    # Saved again, the file is the same.
    content = Path(file).read_text()
    assert onnxcert("certify", "--config", file, "--save-config", file).status == 0
    assert Path(file).read_text() == content


def test_the_command_line_wins_over_the_file_and_the_file_over_a_preset(onnxcert: Any) -> None:
    Path("run.toml").write_text('preset = "paper"\nn = 70\nalpha = 0.01\nsigma = 0.2\n')
    command = ("certify", "model.onnx", "pictures", "--config", "run.toml", "--no-pictures")
    assert onnxcert(*command, "--n", "80", "--out", "out").status == 0
    _, found = stored("out")
    assert (found["n"], found["alpha"], found["selection"]) == (80, 0.01, "split")


def test_paths_in_the_file_are_relative_to_it(
    onnxcert: Any, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (folder / "run.toml").write_text(
        'model = "model.onnx"\ninputs = ["pictures"]\nlabels = "labels"\nignore-label = [254]\n'
        'sigma = 0.2\nn = 60\npictures = false\nout = "out"\nthreads = 1\n'
    )
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    outcome = onnxcert("certify", "--config", "../run.toml")
    assert outcome.status == 0, outcome.err
    assert (folder / "out" / "run.json").exists()
    assert not any((folder / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sgima = 0.2", "run.toml: there is no option 'sgima'; did you mean sigma?"),
        ("xyzzy = 1", "run.toml: there is no option 'xyzzy'."),
        ('config = "other.toml"', "run.toml: there is no option 'config'."),
        ('n = "many"', "run.toml: --n must be a whole number, got 'many'."),
        ("n = 1.5", "run.toml: --n must be a whole number, got '1.5'."),
        ("n = true", "run.toml: n must be a whole number, got true; write it as on the"),
        ("sigma = {a = 1}", "run.toml: sigma must be a number, got {'a': 1}; write it as on the"),
        ("flip = 1", "run.toml: flip must be true or false, got 1."),
        ('preset = "papr"', "--preset must be one of paper, quick, strict, got 'papr'; did you"),
        ("n = ", "run.toml must be a TOML file with lines such as sigma = 0.25 (Invalid value"),
        ("pad_to = 2\npad-to = 3", "run.toml: pad-to is given twice; leave one of them out."),
    ],
)
def test_what_is_wrong_in_the_file_is_one_sentence(onnxcert: Any, text: str, sentence: str) -> None:
    Path("run.toml").write_text(text)
    outcome = onnxcert("certify", "model.onnx", "pictures", "--config", "run.toml")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"onnxcert: {sentence}")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("name", ["none.toml", "pictures"])
def test_a_file_that_cannot_be_read_is_one_sentence(onnxcert: Any, name: str) -> None:
    outcome = onnxcert("certify", "model.onnx", "--config", name)
    assert outcome.status == 2
    assert outcome.err.startswith(f"onnxcert: {name} cannot be read (")


def test_another_file_is_not_overwritten(onnxcert: Any) -> None:
    Path("notes.txt").write_text("mine")
    command = ("certify", "model.onnx", "pictures", *SMALL, "--save-config", "notes.txt")
    assert onnxcert(*command).status == 2
    assert Path("notes.txt").read_text() == "mine"


# Paths are changed on purpose; see above.
PATHS = ("labels", "palette", "class_names", "out", "model", "nonrobust", "label_map", "categories")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)


def options() -> Iterator[Any]:
    for parameter in PARAMETERS:
        if parameter.name in ("help", "config", "save_config", *PATHS):
            continue
        if getattr(parameter, "is_flag", False):
            yield parameter.name, st.booleans()
        elif getattr(parameter, "multiple", False):
            yield parameter.name, st.lists(TEXT, min_size=1, max_size=3)
        elif parameter.param_type_name == "option":
            yield parameter.name, TEXT | st.integers().map(str) | st.floats(-9, 9).map(str)


@given(st.fixed_dictionaries({}, optional=dict(options())))
def test_any_value_survives_the_file(values: dict[str, Any]) -> None:
    path = Path("any.toml")
    path.unlink(missing_ok=True)
    write_config(path, PARAMETERS, values)
    tomllib.loads(path.read_text(encoding="utf-8"))
    for name, value in read_config(path, PARAMETERS).items():
        asked = values[name]
        assert value == asked or float(value) == float(asked), name
    assert set(read_config(path, PARAMETERS)) == set(values)
