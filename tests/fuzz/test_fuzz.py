"""Damaged files and odd flags: a result or one sentence, in bounded time and memory.

A short run is part of the suite; ``ONNXCERT_FUZZ=10000`` runs so many cases of each kind.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from harness import fuzz

pytestmark = pytest.mark.slow

SHORT = {
    **{"onnx": 40, "contract": 40, "flags": 40, "hdf5": 40},
    **{"sidecars": 20, "store": 12, "external": 20, "odd": 20},
}

SEED = 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are those of Linux")
@pytest.mark.parametrize("kind", SHORT)
def test_damage_is_a_result_or_one_sentence(kind: str, tmp_path: Path) -> None:
    count = int(os.environ.get("ONNXCERT_FUZZ", "0")) or SHORT[kind]
    figures = fuzz(kind, count, tmp_path, seed=SEED)
    print(f"{kind}: {figures.report()}")
    assert figures.cases == count
    assert not figures.failures, figures.report()


def test_a_crash_and_a_hang_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import harness

    worker = tmp_path / "worker.py"
    worker.write_text(
        "import json, os, sys, time\n"
        "start, log = int(sys.argv[3]), open(sys.argv[6], 'a')\n"
        "for i in range(start, int(sys.argv[4])):\n"
        "    print(json.dumps({'index': i, 'started': True}), file=log, flush=True)\n"
        "    if i == 1: os.abort()\n"
        "    if i == 3: time.sleep(600)\n"
        "    done = {'index': i, 'status': 0, 'said': '', 'failure': '', 'arguments': []}\n"
        "    print(json.dumps({**done, 'seconds': 0, 'peak': 0}), file=log, flush=True)\n"
    )
    monkeypatch.setattr(harness, "WORKER", worker)
    monkeypatch.setattr(harness, "PATIENCE", 10.0)
    figures = fuzz("onnx", 4, tmp_path / "logs")
    assert figures.cases == 4
    assert figures.statuses == {"0": 2}
    assert {what.split(" with")[0] for what in figures.failures} >= {"hangs", "ends the process"}
