"""What is shown fits the terminal, and is as much as was asked for."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import graphs
import pytest
from rich.console import Console

from onnxcert.cli import COMMANDS, run_command_line
from onnxcert.cli.progress_bar import ProgressBar
from onnxcert.cli.terminal import wrap

WIDTHS = (40, 80, 200)
SMALL = ("--sigma", "0.2", "--n", "60", "--threads", "1", "--no-pictures")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=WIDTHS)
def width(request: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    columns: int = request.param
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((columns, 24)))
    return columns


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on a terminal; return what it shows."""

    def show(*arguments: object) -> tuple[int, str]:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(sys, "stderr", terminal)
        status = run_command_line([str(word) for word in arguments])
        return status, terminal.getvalue()

    return show


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pictures
    graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)


def assert_fits(text: str, width: int) -> None:
    """No line is wider than the terminal, unless it is one word, or a command to copy."""
    for line in plain(text):
        words = line.split()
        assert len(line) <= width or len(words) == 1 or line.startswith("  onnxcert "), line


def plain(text: str) -> Iterator[str]:
    """The lines of a screen; a bar that is drawn again is a line, too."""
    without = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    yield from re.split(r"[\r\n]", without)


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_fits(screen: Any, width: int, command: str | None) -> None:
    status, text = screen(*([] if command is None else [command]), "--help")
    assert status == 0
    assert_fits(text, width)
    assert "\x1b" not in text


def test_a_run_with_its_header_bar_and_table_fits(screen: Any, width: int) -> None:
    for i in range(3):
        Path(f"pictures/broken-{i}.png").write_bytes(b"no picture")
    status, text = screen("certify", "model.onnx", "pictures", *SMALL, "--verbose", "--out", "out")
    assert status == 3
    assert_fits(text, width)
    for command in ("report", "verify"):
        assert_fits(screen(command, "out")[1], width)
    assert_fits(screen("diff", "out", "out")[1], width)


@pytest.mark.parametrize(
    "command",
    ["certify model.onnx --sigm 1", "certify model.onnx pictures --n 3 --sigma 0.2", "xyzzy"],
)
def test_an_error_fits(screen: Any, width: int, command: str) -> None:
    status, text = screen(*command.split())
    assert status == 2
    assert_fits(text, width)


def test_lines_are_broken_between_words_only() -> None:
    text = "model   a/very-long-name/of-a-model.onnx on cpu (CPUExecutionProvider, 2 threads)"
    lines = wrap(text, 40).split("\n")
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert all(line.startswith(" " * 8) for line in lines[1:])
    for unbroken in ('{"a": "' + "b " * 40 + '"}', "  onnxcert certify " + "c " * 40):
        assert wrap(unbroken, 40) == unbroken


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_bar_is_one_line(columns: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=columns)
    with ProgressBar(console, str) as bar:
        bar.begin(1000, 100)
        bar.advance("a-name-that-is-longer-than-it-should-be" * 3, 1000, 0)
        bar.report_status("it may stop at the next look")
        bar.advance("a-name-that-is-longer-than-it-should-be" * 3, 1000, 100)
    for line in plain(out.getvalue()):
        assert len(line.rstrip()) <= columns
    assert "1000 of 1000" in out.getvalue()


# -- as much as was asked for ----------------------------------------------------------------------


def certify(onnxcert: Any, *options: str) -> Any:
    return onnxcert("certify", "model.onnx", "pictures", *SMALL, "--out", "out", *options)


def test_quiet_prints_the_results_only(onnxcert: Any, screen: Any) -> None:
    loud, quiet = certify(onnxcert), certify(onnxcert, "--quiet")
    assert quiet.out == loud.out
    assert loud.err
    assert quiet.err == ""
    _, text = screen("certify", "model.onnx", "pictures", *SMALL, "--out", "new", "--quiet")
    assert "\r" not in text
    assert "\x1b" not in text


def test_verbose_says_what_is_chosen_and_restored(onnxcert: Any) -> None:
    first = certify(onnxcert, "--verbose", "--preset", "paper")
    assert "seed " in first.err
    assert "option  --selection is from --preset paper" in first.err
    assert "correction holm" in first.err
    assert "finished before" not in first.err
    assert first.out == certify(onnxcert, "--preset", "paper").out
    again = certify(onnxcert, "--verbose", "--preset", "paper")
    assert [line for line in again.err.splitlines() if line.startswith("stored ")] == [
        f"stored  p{i}: finished before" for i in range(3)
    ]
    assert "3, of which 3 are stored already" in again.err


def test_quiet_and_verbose_exclude_each_other(onnxcert: Any) -> None:
    assert certify(onnxcert, "--quiet", "--verbose").status == 2


def test_several_skipped_inputs_are_one_table(onnxcert: Any) -> None:
    for name in ("one", "two"):
        Path(f"pictures/[bold]{name}.png").write_bytes(b"no picture")
    outcome = certify(onnxcert)
    assert outcome.status == 3
    title, heading, *rows = outcome.err.split("onnxcert: ")[1].splitlines()
    assert title == "skipped 2 inputs"
    assert heading.split() == ["input", "why", "it", "was", "skipped"]
    for name in ("one", "two"):
        assert any(row.startswith(f"[bold]{name} ") for row in rows)


def test_no_color_leaves_no_colour_in_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw() -> str:
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=80, color_system="truecolor")
        with ProgressBar(console, str) as bar:
            bar.begin(1, 10)
            bar.advance("a", 1, 5)
        return out.getvalue()

    coloured = re.compile(r"\x1b\[[0-9;]*3[0-9]")
    assert coloured.search(draw())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured.search(draw())
