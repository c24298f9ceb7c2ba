"""`onnxcert decide`: the same votes, another rule, and the truth about when it was chosen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from drawing import write_picture
from PIL import Image

from onnxcert import ResultStore
from onnxcert.cli import run_command_line
from onnxcert.statistics import decide
from onnxcert.statistics.rule import Budget, Rule

CERTIFY = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--seed", "5", "--no-pictures")
RUNS = {
    "holm": (),
    "map": ("--radius-map", "--floor", "0.6", "--correction", "bonferroni"),
    "several": ("--tau", "0.75,0.6", "--correction", "holm"),
    "split": ("--selection", "split", "--correction", "bonferroni"),
    "looks": ("--looks", "50,60", "--correction", "bonferroni"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs over two labelled pictures, one for each kind of rule."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "pictures").mkdir()
    (folder / "truth").mkdir()
    truth = np.zeros((12, 16), np.uint8)
    truth[:, 8:] = 1
    for i in range(2):
        write_picture(folder / "pictures" / f"p{i}.png", seed=i)
        Image.fromarray(truth).save(folder / "truth" / f"p{i}.png")
    graphs.save(graphs.threshold(), folder / "a.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, further in RUNS.items():
            arguments = ["a.onnx", "pictures", "--labels", "truth", *CERTIFY, *further]
            assert run_command_line(["certify", *arguments, "--out", name]) == 0
        assert run_command_line(["pack", "holm", "holm.h5"]) == 0
    return folder


@pytest.fixture(autouse=True)
def bench(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(made, tmp_path / "bench")
    monkeypatch.chdir(folder)
    return folder


def files(folder: str) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_the_same_rule_gives_the_same_certificates_and_no_warning(onnxcert: Any, run: str) -> None:
    found = onnxcert("decide", run, "--out", "again", "--json")
    assert (found.status, found.err) == (0, "")
    differing = {"out"}
    stored, decided = found.json["stored"], found.json["decided"]
    assert {k for k in stored if stored[k] != decided[k]} == differing
    for name in ResultStore(run).names():
        a, b = ResultStore(run).read(name), ResultStore("again").read(name)
        assert np.array_equal(a.labels[...], b.labels[...])
        assert a.decision == b.decision
        assert a.provenance.parameters == b.provenance.parameters
    assert onnxcert("verify", "again").status == 0


def test_a_new_folder_is_a_whole_result(onnxcert: Any) -> None:
    """verify, report, diff and pack take it; the votes and the scores without noise stay."""
    before = files("holm")
    rule = ("--alpha", "0.2", "--correction", "kfwer", "--budget", "3", "--tau", "0.6")
    found = onnxcert("decide", "holm", *rule, "--out", "new", "--json").json
    assert files("holm") == before
    verified = onnxcert("verify", "new")
    assert verified.status == 0, verified.out
    reported = onnxcert("report", "new", "--json").json
    for key in ("certified", "clean", "noisy", "guarantee", "rule", "warnings"):
        assert reported[key] == found["decided"][key]
    assert reported["clean"] == found["stored"]["clean"] != {"accuracy": None, "miou": None}
    assert onnxcert("pack", "new", "new.h5").status == 0
    assert onnxcert("verify", "new.h5").status == 0
    assert "correction" in onnxcert("diff", "holm", "new").out
    asked = Rule(tau=0.6, alpha=0.2, correction="kfwer", budget=Budget("3"))
    for name in ResultStore("holm").names():
        old, new = ResultStore("holm").read(name), ResultStore("new").read(name)
        assert np.array_equal(old.tally.hits[...], new.tally.hits[...])
        assert old.tally.draws == new.tally.draws
        assert np.array_equal(new.labels[...], decide(old.tally, asked).labels)
        assert np.array_equal(np.load(f"new/labels/{name}.npy"), new.labels[...])
        assert new.decision.rule.hindsight == ("alpha", "the correction", "the budget", "tau")
        assert "NOT A CERTIFICATE" in new.decision.statement
        stored = Rule.from_dict(new.provenance.parameters["decided_again"]["stored"])
        assert stored == old.decision.rule


def test_accuracy_is_counted_anew_where_the_labels_are_and_left_out_where_not(
    onnxcert: Any,
) -> None:
    known = onnxcert("decide", "holm", "--tau", "0.5", "--json").json["decided"]
    assert known["certified"]["accuracy"] >= 0.5
    Image.fromarray(np.zeros((12, 16), np.uint8)).save("truth/p0.png")  # no longer the same
    shutil.rmtree("truth")
    unknown = onnxcert("decide", "holm", "--tau", "0.5", "--json").json["decided"]
    assert unknown["certified"]["accuracy"] is None
    assert unknown["certified"]["abstain"] == known["certified"]["abstain"]
    assert unknown["clean"] == known["clean"]


def test_labels_that_changed_are_not_those_of_the_run(onnxcert: Any) -> None:
    for path in Path("truth").iterdir():
        Image.fromarray(np.ones((12, 16), np.uint8)).save(path)
    found = onnxcert("decide", "holm", "--json").json
    assert found["decided"]["certified"]["accuracy"] is None


@pytest.mark.parametrize(
    ("run", "asked", "late"),
    [
        ("holm", ["--tau", "0.8"], ["tau"]),
        ("holm", ["--alpha", "0.01"], ["alpha"]),
        ("holm", ["--budget", "2"], ["the correction", "the budget"]),
        ("holm", ["--radius-map"], ["the correction", "the radius map"]),
        ("holm", ["--alpha-scope", "dataset"],
         ["the scope of alpha", "the number of inputs that share alpha"]),
        ("map", ["--tau", "0.9"], []),
        ("map", ["--tau", "0.6,0.95"], []),
        ("map", ["--floor", "0.5"], ["the floor of the radius map"]),
        ("map", ["--no-radius-map"], ["the radius map"]),
        ("several", ["--tau", "0.6"], []),
        ("several", ["--tau", "0.7"], ["tau"]),
        ("split", ["--tau", "0.9"], []),
        ("split", ["--radius-map"], []),
        ("split", ["--procedure", "indivclass"], []),
        ("split", ["--procedure", "jointclass"], ["the procedure"]),
        ("looks", ["--tau", "0.6"], ["tau"]),
    ],
)  # fmt: skip
def test_what_was_chosen_too_late_is_named(
    onnxcert: Any, run: str, asked: list[str], late: list[str]
) -> None:
    found = onnxcert("decide", run, *asked, "--out", "new", "--json")
    assert found.status == 0
    assert found.json["decided"]["rule"]["post_hoc"] == late
    assert ("voids the level" in found.err) is bool(late)
    statement = found.json["decided"]["guarantee"]["statement"]
    assert ("NOT A CERTIFICATE" in statement) is bool(late)
    assert all(name in statement and name in found.err for name in late)
    assert onnxcert("verify", "new").status == 0


def test_one_of_several_tau_comes_first_and_the_others_stay(onnxcert: Any) -> None:
    found = onnxcert("decide", "several", "--tau", "0.6", "--out", "new", "--json").json["decided"]
    assert [each["tau"] for each in found["taus"]] == [0.6, 0.75]
    assert ResultStore("new").read("p0").decision.tau == 0.6


def test_a_declaration_is_recorded_and_does_not_mend_what_was_void(onnxcert: Any) -> None:
    said = onnxcert(
        "decide", "holm", "--tau", "0.8", "--fixed-beforehand", "--out", "new", "--json"
    )
    assert said.json["decided"]["rule"]["post_hoc"] == []
    assert "declares" in said.err
    record = ResultStore("new").read("p0")
    assert record.provenance.parameters["decided_again"]["fixed_beforehand"] is True
    assert any("declares" in note for note in onnxcert("report", "new", "--json").json["warnings"])
    assert onnxcert("verify", "new").status == 0
    assert onnxcert("decide", "holm", "--tau", "0.8", "--out", "void").status == 0
    again = onnxcert("decide", "void", "--alpha", "0.1", "--fixed-beforehand", "--json").json
    assert again["decided"]["rule"]["post_hoc"] == ["tau"]


def test_nothing_that_exists_is_written_to(onnxcert: Any) -> None:
    for name in ("holm", "map"):
        before = files(name)
        found = onnxcert("decide", "holm", "--tau", "0.8", "--out", name)
        assert found.status == 2
        assert found.err.count("\n") == 1
        assert files(name) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no results"),
        (["holm", "--tau", "0.3"], "tau must be"),
        (["holm", "--alpha", "2"], "alpha must"),
        (["holm", "--correction", "hommel"], "Hommel"),
        (["holm", "--correction", "none"], "one of bonferroni"),
        (["holm", "--alpha-scope", "all"], "alpha scope"),
        (["holm", "--procedure", "magic"], "procedure must be"),
        (["holm", "--procedure", "predict"], "predict"),
        (["holm", "--procedure", "indivclass"], "split"),
        (["holm", "--budget", "many"], "budget must be"),
        (["holm", "--budget", "192"], "below the number of components"),
        (["map", "--tau", "0.55"], "floor"),
        (["map", "--correction", "holm"], "radius map"),
        (["looks", "--correction", "holm"], "looks"),
        (["looks", "--radius-map"], "radius map"),
    ],
)
def test_what_cannot_be_decided_is_one_sentence_and_leaves_nothing(
    onnxcert: Any, arguments: list[str], words: str
) -> None:
    found = onnxcert("decide", *arguments, "--out", "new")
    assert (found.status, found.out) == (2, "")
    assert words in found.err
    assert found.err.count("\n") == 1
    assert not Path("new").exists()


def test_a_damaged_record_is_not_decided(onnxcert: Any) -> None:
    path = Path("holm/inputs/p0.h5")
    path.write_bytes(path.read_bytes()[:-200])
    found = onnxcert("decide", "holm")
    assert found.status == 2
    assert found.err.count("\n") == 1


def test_a_pack_serves_as_well_and_the_table_shows_both(onnxcert: Any) -> None:
    found = onnxcert("decide", "holm.h5", "--tau", "0.6")
    assert "stored, tau 0.75" in found.out
    assert "decided again, tau 0.6" in found.out
    assert "tau: 0.75, now 0.6" in found.out


def test_run_json_says_what_the_records_say(onnxcert: Any) -> None:
    assert onnxcert("decide", "holm", "--alpha-scope", "dataset", "--out", "new").status == 0
    run = json.loads(Path("new/run.json").read_text())
    record = ResultStore("new").read("p1")
    assert run["listed"] == ["p0", "p1"]
    assert {**run["parameters"], "seed": run["seed"]} == record.provenance.parameters
    assert run["parameters"]["alpha_inputs"] == 2
    assert record.decision.rule.alpha_per_input == pytest.approx(0.0005)
