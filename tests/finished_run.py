"""A model, pictures and their run in one folder, all named by relative paths, and copies of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import graphs
import pytest
from drawing import write_pictures

from onnxcert.cli import run_command_line


def finished_run(folder: Path, *commands: Sequence[str], inputs: int) -> Path:
    """Write `model.onnx` and `pictures/p0.png`, ... to `folder`, and run the commands there."""
    write_pictures(folder / "pictures", inputs)
    graphs.save(graphs.threshold(), folder / "model.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in commands:
            assert run_command_line(list(command)) == 0
    return folder


def enter_copy(made: Path, tmp_path: Path, patch: pytest.MonkeyPatch) -> Path:
    """Copy the folder `made` for one test and make the copy the working folder."""
    folder = Path(shutil.copytree(made, tmp_path / "bench"))
    patch.chdir(folder)
    return folder
