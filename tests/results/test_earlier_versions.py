"""Results of earlier versions, whose noise was added in float32: what is still said of them."""

from __future__ import annotations

import json
from pathlib import Path

import graphs
import h5py
import pytest
from drawing import write_picture

from onnxcert.cli import run_command_line
from onnxcert.results import open_results
from onnxcert.results.fingerprint import fingerprint
from onnxcert.results.hdf5 import put
from onnxcert.sampling.draws import FLOAT32_GENERATORS

EARLIER = sorted((Path(__file__).parent / "earlier").glob("*.h5"))
LACK = "was added in float32, which shows a model the low bits of the input"


@pytest.mark.parametrize("pack", EARLIER, ids=lambda p: p.stem)
def test_an_old_certificate_is_decided_as_it_was_and_its_law_is_named(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One tau, several under Holm, looks, and a radius map: every number is the stored one."""
    for record in open_results(pack).records():
        assert record.tally.draws.generator in FLOAT32_GENERATORS
        assert record.tally.law_error == record.tally.to_memory().law_error == 0.0
        assert "law error" not in record.decision.statement
    assert run_command_line(["verify", str(pack)]) == 0
    said = capsys.readouterr().out
    assert "2 records, all checks passed" in said
    assert said.count(LACK) == 1
    assert run_command_line(["report", str(pack)]) == 0
    assert capsys.readouterr().out.count(LACK) == 1
    assert run_command_line(["decide", str(pack), "--fixed-beforehand"]) == 0
    assert capsys.readouterr().out.count(LACK) == 1


def test_new_results_have_nothing_to_add_about_their_law(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, monkeypatch)
    capsys.readouterr()
    for command in (["verify", "out"], ["report", "out"], ["decide", "out"]):
        assert run_command_line(command) == 0
        assert LACK not in capsys.readouterr().out
    (record,) = open_results(Path("out")).records()
    assert record.tally.law_error > 0
    assert ", law error " in record.decision.statement


@pytest.mark.parametrize("value", [0.0, 1e-7])
def test_a_law_error_that_the_generator_has_not_is_found(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    value: float,
) -> None:
    """Without it more would be certified, so it must not be left out in silence."""
    run(tmp_path, monkeypatch)
    with h5py.File("out/inputs/p.h5", "r+") as file:
        if value:
            put(file["tally"], "generator", FLOAT32_GENERATORS[0])
        else:
            del file["tally"].attrs["law_error"]
        file.attrs["sha256"] = fingerprint(file)
    assert run_command_line(["verify", "out"]) == 1
    assert "does not fit the generator" in capsys.readouterr().out


def test_a_run_of_an_earlier_version_says_that_it_starts_again_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, monkeypatch)
    asked = json.loads(Path("out/run.json").read_text())
    asked["parameters"]["generator"] = FLOAT32_GENERATORS[0]
    Path("out/run.json").write_text(json.dumps(asked))
    before = Path("out/inputs/p.h5").read_bytes()
    capsys.readouterr()
    assert certify() == 2
    error = capsys.readouterr().err
    assert "noise (numpy-seedsequence-sfc64) this version cannot draw" in error
    assert "start the run again in another folder with --out" in error
    assert Path("out/inputs/p.h5").read_bytes() == before


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    write_picture(folder / "p.png", seed=0)
    graphs.save(graphs.threshold(), folder / "model.onnx")
    assert certify() == 0


def certify() -> int:
    command = ["certify", "model.onnx", "p.png", "--sigma", "0.2", "--n", "60", "--threads", "1"]
    return run_command_line([*command, "--seed", "5", "--no-pictures", "--out", "out"])
