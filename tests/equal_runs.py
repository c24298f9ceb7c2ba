"""Two result folders that hold the same, but for where and when each was made."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from onnxcert import ResultStore
from onnxcert.results import Decision
from onnxcert.results.fingerprint import fingerprint

# What the statement says last, of batches, may change where a run goes on with others.
OF_BATCHES = re.compile(r", (one draw a pass|leak check [^]]*)\]$")
RESULT = ("tally", "certificate", "predictions", "confusions")


def assert_equal_runs(a: Path, b: Path) -> None:
    """Bit for bit the same votes, certificates, label files, pictures and `run.json`."""
    one, other = ResultStore(a), ResultStore(b)
    assert one.names() == other.names() != []
    assert one.run() == other.run()
    assert one.summary() == other.summary()
    for name in one.names():
        with one.group(name) as x, other.group(name) as y:
            for part in RESULT:
                assert fingerprint(x[part]) == fingerprint(y[part]), (name, part)
        mine, its = one.read(name).provenance, other.read(name).provenance
        assert (mine.parameters, mine.contract, mine.model, mine.input) == (
            its.parameters,
            its.contract,
            its.model,
            its.input,
        )
    for sub in ("labels", "pictures", "partial"):
        assert _files(a / sub) == _files(b / sub)
    for name in ("curve.csv", "curve.png"):
        assert (a / name).exists() == (b / name).exists()
        assert not (a / name).exists() or (a / name).read_bytes() == (b / name).read_bytes()
    assert not [p for folder in (a, b) for p in folder.rglob(".*") if p.name != ".lock"]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def whatever_the_batches(decision: Decision) -> Decision:
    """The decision without what its statement says of batches; fails where it says nothing."""
    statement, found = OF_BATCHES.subn("]", decision.statement)
    assert found == 1, decision.statement
    return replace(decision, statement=statement)
