"""What many tests share: pictures on disk, tiny models, the command line in this process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Before NumPy and PyTorch are imported: threads that spin while they wait for each other take the
# cores from the tests that run beside.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# What builds graphs, pictures and records is imported by every folder of tests.
sys.path.insert(0, str(Path(__file__).parent))

import profiles  # noqa: E402, F401  (registered before the command line chooses one)
from drawing import write_pictures  # noqa: E402
from json_schema import check_object  # noqa: E402


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output: one JSON object that follows the published schema, and nothing else."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        check_object(value)
        return value

    @property
    def refusal(self) -> str:
        """The sentence of a refusal: exit status 2, one line on standard error."""
        assert self.status == 2, self.err
        assert self.err.startswith("onnxcert: ")
        assert self.err.endswith(".\n")
        assert self.err.count("\n") == 1, self.err
        return self.err


Command = Callable[..., Outcome]


@pytest.fixture
def onnxcert(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run one command of `onnxcert` in this process; arguments of any type."""
    from onnxcert.cli import run_command_line

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        status = run_command_line([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures of 16 x 12 pixels: a dark, a bright and a ragged half each."""
    return write_pictures(tmp_path / "pictures", 3)
