"""What is printed steers no terminal, and a stream that fails is a status, not a traceback."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import graphs
import h5py
import onnx
import pytest
from drawing import write_picture
from rich.console import Console
from waiting import LIMIT

from onnxcert.cli import run_command_line
from onnxcert.cli.progress_bar import ProgressBar
from onnxcert.cli.terminal import escape

EVIL = "e\x1b[31mv\x9bi\u202el\r\x7f"
STEERING = {"Cc", "Zl", "Zp"}
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def steering(text: str) -> set[str]:
    """The characters of `text` that a terminal would obey instead of showing."""
    return {
        c
        for c in text
        if c not in "\n\t"
        and (unicodedata.category(c) in STEERING or unicodedata.bidirectional(c) in TURNING)
    }


def test_every_character_that_steers_is_escaped_and_no_other() -> None:
    for c in map(chr, range(0x11000)):
        assert not steering(escape(c))
        assert escape(c) == c or steering(c), hex(ord(c))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


COUNT = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--no-pictures", "--seed", "5")


@pytest.fixture
def results(tmp_path: Path, model: Path, pictures: Path, onnxcert: Any) -> Path:
    out = tmp_path / "out"
    assert onnxcert("certify", model, pictures, *COUNT, "--out", out).status == 0
    return out


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be given there")
def test_names_of_files_reach_the_terminal_as_text(
    model: Path, tmp_path: Path, onnxcert: Any
) -> None:
    folder = tmp_path / EVIL
    folder.mkdir()
    write_picture(folder / "whole.png", seed=1)
    (folder / f"{EVIL}.png").write_bytes(b"no picture")
    outcome = onnxcert("certify", model, folder, *COUNT, "--out", folder / "out")
    assert outcome.status == 3
    assert "\\x1b[31m" in outcome.out
    assert "\\u202e" in outcome.err
    assert not steering(outcome.out + outcome.err)


def test_metadata_of_a_model_reach_the_terminal_as_text(model: Path, onnxcert: Any) -> None:
    proto = onnx.load(model)
    proto.graph.node[0].name = EVIL
    proto.graph.node[-1].output[0] = proto.graph.output[0].name = EVIL
    onnx.save(proto, model)
    outcome = onnxcert("inspect", model)
    assert "\\x1b" in outcome.out + outcome.err
    assert not steering(outcome.out + outcome.err)


def test_what_a_record_says_reaches_the_terminal_as_text(results: Path, onnxcert: Any) -> None:
    for record in (results / "inputs").iterdir():
        with h5py.File(record, "r+") as file:
            file["certificate"].attrs["statement"] = f'"{EVIL}"'.replace("\x1b", "\\u001b")
            file.attrs["name"] = EVIL
    for command in (("report", results), ("verify", results), ("diff", results, results)):
        outcome = onnxcert(*command)
        assert not steering(outcome.out + outcome.err)


def test_the_progress_bar_shows_names_as_they_are() -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=200, color_system=None)
    with ProgressBar(console, lambda: "") as bar:
        bar.begin(1, 10)
        bar.advance(f"[red]{EVIL}", 1, 10)
        bar.report_status(EVIL)
    assert drawn.getvalue().count("e\\x1b[31mv\\x9bi\\u202el") == 2
    assert "[red]e" in drawn.getvalue()
    assert "\x1b[31m" not in drawn.getvalue()


class Failing(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error: int) -> None:
        super().__init__()
        self.error = error

    def write(self, _text: str) -> int:
        raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def commands(tmp_path: Path, model: Path, results: Path, pictures: Path) -> list[list[str]]:
    """Each command, as it prints something and does nothing that cannot be done again."""
    every = [
        ["--help"],
        ["--version"],
        ["certify", model, pictures, *COUNT, "--out", results],
        ["plan", "--components", "100", "--n", "100"],
        ["decide", results, "--tau", "0.8"],
        ["report", results],
        ["inspect", model],
        ["merge", results, results],
        ["pack", results, tmp_path / "pack.h5"],
        ["verify", results],
        ["diff", results, results],
    ]
    return [[str(word) for word in command] for command in every]


def test_a_closed_pipe_is_no_answer_of_any_command(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in commands:
        monkeypatch.setattr(sys, "stdout", Failing(errno.EPIPE))
        assert run_command_line(command) == 141, command


def test_a_full_device_is_one_sentence_of_every_command(
    commands: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in commands:
        (tmp_path / "pack.h5").unlink(missing_ok=True)
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdout", Failing(errno.ENOSPC))
        assert run_command_line(command) == 2, command
        said = [line for line in capsys.readouterr().err.splitlines() if line[:9] == "onnxcert:"]
        assert len(said) == 1, command
        assert "standard output cannot be written (No space left" in said[0]


def test_a_stream_that_lacks_a_character_gets_its_number(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = results.rename(tmp_path / "größe-名")
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert run_command_line(["diff", str(moved), str(moved)]) == 0
    out.seek(0)
    assert "gr\\xf6\\xdfe-\\u540d" in out.read()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no such shell")
@pytest.mark.parametrize(
    ("shell", "status", "said"),
    [
        pytest.param("{} | true", 141, "", id="closed-pipe"),
        pytest.param("{} 2>&-", 2, "", id="no-stderr"),
    ],
)
def test_the_process_ends_as_the_command_does(shell: str, status: int, said: str) -> None:
    word = "--help" if status == 141 else "nonsense"
    done = subprocess.run(
        ["bash", "-c", "set -o pipefail; " + shell.format(f"{sys.executable} -m onnxcert {word}")],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)
