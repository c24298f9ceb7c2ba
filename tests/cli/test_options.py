"""The options that people type stay as they are, and the help comes at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from onnxcert.cli import COMMANDS, load_command

PINNED = Path(__file__).with_name("options.txt")
LIBRARIES = {"numpy", "scipy", "onnx", "onnxruntime", "h5py", "matplotlib", "PIL", "rich"}


def list_options() -> Iterator[str]:
    """Each argument and option of each command: its names, metavar and default."""
    for name in COMMANDS:
        command = load_command(name)
        for parameter in command.params:
            shown, _ = parameter.get_help_record(typer.Context(command))
            yield f"{name} {shown} = {parameter.default!r}"


def test_options_metavars_and_defaults_are_those_that_people_know() -> None:
    """A new option is a line in `options.txt`; no line there may change."""
    assert list(list_options()) == PINNED.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("command", ["--version", "--help", "certify --help"])
def test_version_and_help_load_no_library(command: str) -> None:
    statement = (
        "import sys; from onnxcert.__main__ import main\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", statement, *command.split()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "onnxcert" in done.stdout
    assert "onnxcert.cli" in done.stderr.split()
    assert not LIBRARIES & set(done.stderr.split())
