"""Measurements can be taken again: every script still finds what it measures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from waiting import LIMIT

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for path in (ROOT / "benchmarks").glob("*.py"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )


def test_there_are_some() -> None:
    assert len(SCRIPTS) > 5


def test_what_the_scripts_import_is_there() -> None:
    each = f"for path in {list(map(str, SCRIPTS))}: runpy.run_path(path, run_name='imported')"
    done = run("-c", f"import runpy\n{each}")
    assert done.returncode == 0, done.stderr


def test_the_speed_benchmark_measures_a_cell(tmp_path: Path) -> None:
    """A real one, of the smallest kind, from the models to the table, the plot and the numbers."""
    pytest.importorskip("torch")
    done = run(
        *("-m", "benchmarks.speed", "--grid", "tiny", "--rounds", "1"),
        *("--out", str(tmp_path)),
    )
    assert done.returncode == 0, done.stderr
    assert "decision c/b" in done.stdout
    assert {path.suffix for path in tmp_path.iterdir()} == {".md", ".csv", ".png"}
