"""Run cases one after the other in this process and write down how each ended.

    python worker.py KIND SEED START STOP FOLDER LOG

A library that crashes takes the process with it: the last line of LOG then names the case.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

ADDRESS_SPACE = 6 * 2**30  # a runaway allocation fails in place of taking the machine with it
KINDS = ("onnx", "contract", "flags", "hdf5", "sidecars", "store", "external", "odd")


def main(kind: str, seed: int, start: int, stop: int, folder: Path, log: Path) -> None:
    import resource  # not on Windows, where this module is only looked at

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import numpy as np
    from cases import CASES

    from onnxcert.cli import COMMANDS, load_command

    for name in COMMANDS:
        load_command(name)  # so that the time of a case is its own
    folder.mkdir(parents=True, exist_ok=True)
    with log.open("a") as lines:

        def note(**values: Any) -> None:
            lines.write(json.dumps(values) + "\n")
            lines.flush()

        for index in range(start, stop):
            rng = np.random.default_rng([seed, KINDS.index(kind), index])
            note(index=index, started=True)
            asked = CASES[kind](rng, folder)
            forget_peak()
            ends = [run(asked)] if isinstance(asked, list) else list(runs(asked))
            worst = next((end for end in ends if end["failure"]), ends[0])
            status = " ".join(f"{end['status']}" for end in ends)
            seconds = sum(end["seconds"] for end in ends)
            note(index=index, **{**worst, "status": status, "seconds": seconds, "peak": peak()})


def runs(asked: Iterator[list[str]]) -> Iterator[dict[str, Any]]:
    """How several commands on the same thing ended; `asked` looks at what each of them did."""
    from canary import Outside

    arguments: list[str] = []
    try:
        for arguments in asked:
            yield run(arguments)
    except Outside as error:
        yield {**ENDED, "failure": f"{arguments[0]}: {error}", "arguments": arguments}


ENDED: dict[str, Any] = {"status": None, "said": "", "failure": "", "arguments": [], "seconds": 0.0}


def run(arguments: list[str]) -> dict[str, Any]:
    """How one command ended."""
    from onnxcert.cli import run_command_line

    out, err = io.StringIO(), io.StringIO()
    began = time.process_time()
    failure = ""
    status: int | None = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run_command_line(arguments)
    except BaseException as error:
        failure = where(error)
    seconds = time.process_time() - began
    said = [line for line in err.getvalue().splitlines() if line.startswith("onnxcert:")]
    if not failure:
        failure = complaint(status, said, err.getvalue())
    return {
        "status": status,
        "said": outline(said[0]) if said else "",
        "failure": failure,
        "arguments": arguments if failure else [],
        "seconds": seconds,
    }


def where(error: BaseException) -> str:
    """An exception's class, and the last line of this package that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/onnxcert/" in f.filename and "/tests/" not in f.filename]
    at = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "outside"
    message = (str(error).splitlines() or [""])[0][:120]
    return f"{type(error).__name__} at {at}: {message}"


def complaint(status: int | None, said: list[str], err: str) -> str:
    """What is wrong with how a command ended, or nothing."""
    if "Traceback" in err:
        return "a traceback was printed"
    if status == 2 and len(said) != 1:
        return f"status 2 with {len(said)} sentences"
    # `verify` and `diff` answer "no" with 1.
    return "" if status in (0, 1, 2, 3) else f"status {status}"


def outline(sentence: str) -> str:
    """A sentence without what differs from case to case."""
    sentence = re.sub(r"/\S+", "PATH", sentence)
    sentence = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", sentence)
    return re.sub(r"-?\d[\d.,e+x-]*", "#", sentence)[:110]


def forget_peak() -> None:
    """Let the kernel start anew with the largest resident size."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Largest resident size, in bytes: since `forget_peak` on Linux, else of the process."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    name, first, second, third, *paths = sys.argv[1:]
    main(name, int(first), int(second), int(third), Path(paths[0]), Path(paths[1]))
