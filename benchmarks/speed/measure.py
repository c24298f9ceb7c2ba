"""Measurement: each program in its own process, alternately, compared within each round."""

from __future__ import annotations

import multiprocessing
import statistics
import time
import traceback
from contextlib import ExitStack
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from .cells import Cell

MIB: Final = 2**20
Row = dict[str, Any]
NAMES: Final = ("network", "labels", "onnxcert", "reference")
SHORT: Final = 15.0


def measure_cell(cell: Cell, model: Path, *, rounds: int, seconds: float) -> Row:
    """Measure one row of the table: medians over the rounds, ratios within each round.

    Args:
        cell: the cell; if the reference design takes long, it runs once.
        model: ONNX file of the cell.
        rounds: maximum number of rounds; at least one is run.
        seconds: no new round begins after this time.
    """
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(name, cell, model)) for name in NAMES}
        found: list[dict[str, dict[str, float]]] = []
        start = time.perf_counter()
        while len(found) < rounds and (not found or time.perf_counter() - start < seconds):
            turn = {name: workers[name].run() for name in NAMES[:-1]}
            last = found[-1].get("reference", {"passes": SHORT}) if found else None
            if last is None or last["passes"] < SHORT:
                turn["reference"] = workers["reference"].run()
            found.append(turn)
        row: Row = {**asdict(cell), "rounds": len(found)}
        for name in NAMES:
            for part in found[0][name]:
                values = [turn[name][part] for turn in found if name in turn]
                row[f"{name}_{part}"] = max(values) if part == "peak" else statistics.median(values)
            row[f"{name}_loaded"] = workers[name].loaded
    return row | ratios(found, cell.threads)


def ratios(found: list[dict[str, dict[str, float]]], threads: int) -> Row:
    """Return medians of the ratios of each round, and the extremes of the first two ratios."""
    row: Row = {}
    for other in ("network", "labels"):
        values = [total_seconds(turn["onnxcert"]) / total_seconds(turn[other]) for turn in found]
        row[f"over_{other}"] = statistics.median(values)
        row[f"over_{other}_least"], row[f"over_{other}_most"] = min(values), max(values)
        cpu = [turn["onnxcert"]["cpu"] / turn[other]["cpu"] for turn in found]
        row[f"over_{other}_cpu"] = statistics.median(cpu)
    if threads == 1:  # model and counting run in the first thread, the noise in another one
        apart = [turn["onnxcert"]["thread"] / turn["labels"]["thread"] for turn in found]
        row["over_labels_apart"] = statistics.median(apart)
    pairs = [(turn["reference"], turn["onnxcert"]) for turn in found if "reference" in turn]
    row["speedup"] = statistics.median(total_seconds(c) / total_seconds(b) for c, b in pairs)
    row["speedup_passes"] = statistics.median(c["passes"] / b["passes"] for c, b in pairs)
    row["speedup_cpu"] = statistics.median(c["passes_cpu"] / b["passes_cpu"] for c, b in pairs)
    row["speedup_decision"] = statistics.median(c["decision"] / b["decision"] for c, b in pairs)
    return row


def total_seconds(parts: dict[str, float]) -> float:
    """Return the seconds from the first draw to the decision."""
    return parts["passes"] + parts.get("decision", 0.0)


class Worker:
    """A program in its own process.

    Attributes:
        loaded: memory in MiB after loading and warm-up.
    """

    def __init__(self, name: str, cell: Cell, model: Path) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, name, cell, model), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Worker:
        self.loaded: float = self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(10)
        self._process.kill()

    def run(self) -> dict[str, float]:
        """Return the seconds of one input by part, CPU seconds, and peak MiB."""
        self._pipe.send("run")
        found: dict[str, float] = self._answer()
        return found

    def _answer(self) -> Any:
        try:
            kind, value = self._pipe.recv()
        except EOFError:
            raise MemoryError("the process of a compared program was killed") from None
        if kind == "error":
            raise RuntimeError(value)
        return value


def _serve(pipe: Connection, name: str, cell: Cell, model: Path) -> None:
    from .contenders import CONTENDERS

    try:
        program = CONTENDERS[name](cell, model)
        pipe.send(("loaded", _status("VmRSS")))
        while True:
            pipe.recv()
            _forget_peak()
            cpu, thread = time.process_time(), time.thread_time()
            parts = program.run()
            used = {"cpu": time.process_time() - cpu, "thread": time.thread_time() - thread}
            pipe.send(("ran", {**parts, **used, "peak": _status("VmHWM")}))
    except EOFError:
        return
    except Exception:
        pipe.send(("error", traceback.format_exc()))


def _status(key: str) -> float:
    """Return an entry of /proc/self/status in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024 / MIB
    raise RuntimeError(f"{key} is not in /proc/self/status")


def _forget_peak() -> None:
    """Reset the peak memory use of this process."""
    Path("/proc/self/clear_refs").write_text("5")
