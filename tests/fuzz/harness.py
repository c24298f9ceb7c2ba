"""Cases in processes of their own, so that a crash or a hang is a finding and not the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORKER = Path(__file__).parent / "worker.py"
LONGEST = 20.0  # seconds of the processor that a case may take
MOST = 2**30  # bytes a process may hold
PATIENCE = 600.0  # seconds without a case begun or ended; only what hangs takes so long
PER_PROCESS = 1000  # memory that libraries never give back is not blamed on later cases


@dataclass
class Figures:
    """How a number of cases ended."""

    cases: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    sentences: Counter[str] = field(default_factory=Counter)
    failures: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    peak: int = 0

    def fail(self, what: str, case: str) -> None:
        self.failures.setdefault(what, []).append(case)

    def add(self, kind: str, seed: int, line: dict[str, Any]) -> None:
        """Count one finished case."""
        case = f"{kind}/{seed}/{line['index']}"
        self.cases += 1
        self.statuses[str(line["status"])] += 1
        self.sentences[line["said"]] += 1
        self.seconds = max(self.seconds, line["seconds"])
        self.peak = max(self.peak, line["peak"])
        if line["failure"]:
            self.fail(line["failure"], f"{case} {' '.join(line['arguments'])}")
        if line["seconds"] > LONGEST:
            self.fail("takes too long", case)
        if line["peak"] > MOST:
            self.fail("takes too much memory", f"{case} {line['peak'] / 2**20:.0f} MiB")

    def report(self) -> str:
        """The figures, and one example of each kind of failure."""
        lines = [
            f"{self.cases} cases, statuses {dict(self.statuses)}, "
            f"worst {self.seconds:.2f} s and {self.peak / 2**20:.0f} MiB",
            *(f"{len(c):6} x {what}\n         {c[0]}" for what, c in self.failures.items()),
        ]
        return "\n".join(lines)


def fuzz(kind: str, count: int, folder: Path, *, seed: int = 1) -> Figures:
    """Run the cases 0 .. count - 1 of `kind`; those that end their process are failures."""
    figures = Figures()
    start = 0
    while start < count:
        start = _process(kind, seed, start, min(count, start + PER_PROCESS), folder, figures)
    return figures


def _process(kind: str, seed: int, start: int, stop: int, folder: Path, figures: Figures) -> int:
    """Cases from `start` in one process; the index of the first that was not tried."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{kind}-{start}.log"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-W", "error", str(WORKER), kind]
    command += [str(v) for v in (seed, start, stop, folder / kind, log)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    with (folder / f"{kind}.err").open("w") as err:
        worker = subprocess.Popen(command, stderr=err, stdout=err, env=environment)
        began, size = time.monotonic(), -1
        while worker.poll() is None:
            grown = log.stat().st_size if log.exists() else -1
            if grown != size:
                began, size = time.monotonic(), grown
            elif time.monotonic() - began > PATIENCE:
                worker.kill()
                worker.wait()
                break
            time.sleep(0.05)
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    ended = [line for line in lines if "status" in line]
    for line in ended:
        figures.add(kind, seed, line)
    if len(ended) == stop - start:
        return stop
    if not lines or worker.returncode == 1:  # the case itself could not be made
        raise RuntimeError((folder / f"{kind}.err").read_text()[-2000:])
    last = int(lines[-1]["index"])
    how = "hangs" if worker.returncode == -9 else f"ends the process with {worker.returncode}"
    figures.cases += 1
    tail = (folder / f"{kind}.err").read_text()[-300:].replace("\n", " ")
    figures.fail(how, f"{kind}/{seed}/{last} {tail}")
    return last + 1
