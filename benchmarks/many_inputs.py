"""Overhead of runs with many small inputs: start-up of each input, final table, memory.

    python benchmarks/many_inputs.py 500 2000 10000
    python benchmarks/many_inputs.py 500 --pictures
    python benchmarks/many_inputs.py 3000 --side 8

Makes images of 32 x 32 (`--side`) and a model of one convolution in a temporary folder, certifies
all of them with labels in one process, and then runs every command that reads all results: the
same run again (nothing left to do), `report`, `verify`, `pack`, `diff`, `decide`, `merge` of two
shards. Each stage is a separate process, whose start takes about a second. `by hand` is the
reference for `verify`: it only reads, hashes and decides every record, in this process.

Start-up is the time of an input beyond its draws: wall time minus passes x seconds per draw. A draw
is timed between the first and the last batch of an input, with noise and counting. Printed are the
median and the 90th percentile over all inputs, and the median of the last tenth, which shows
whether the time grows with the number of inputs. On a shared machine the CPU seconds are more
reliable; they are those of the whole input with its draws.

Memory is the peak of the process, and the growth of its resident memory after the first tenth of
the inputs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from onnxcert import OnnxSegmenter
from onnxcert.data import list_images
from onnxcert.perturbation import Gaussian
from onnxcert.results import ResultStore
from onnxcert.run.run import Run
from onnxcert.statistics.settings import Settings

COLOURS: Final = np.array([[0.8, 0.2, 0.2], [0.2, 0.8, 0.2], [0.2, 0.2, 0.8]], np.float32)


def main() -> None:
    """Measure and print; with --certify, run as the measured process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", type=int, nargs="*", default=[500, 2000])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--side", type=int, default=32, help="pixels; a multiple of 4")
    parser.add_argument("--pictures", action="store_true", help="draw a figure of each input")
    parser.add_argument("--certify", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.certify is not None:
        print(json.dumps(_certify(options.certify, options.n, pictures=options.pictures)))
        return
    print(
        "| inputs | start-up, ms an input: median | 90 % | of the last tenth "
        "| whole, ms an input: wall | processor "
        "| end, s | memory, MiB | growth, MiB | then, CPU seconds: again | report "
        "| verify | by hand | pack | diff | decide | merge |"
    )
    print("|" + "---|" * 17)
    for count in options.inputs:
        with tempfile.TemporaryDirectory() as folder:
            _make(Path(folder), count, options.side)
            print(_row(Path(folder), count, options.n, pictures=options.pictures), flush=True)


def _row(folder: Path, count: int, n: int, *, pictures: bool) -> str:
    """Run every stage and return the row of the table."""
    flags = ["--pictures"] if pictures else []
    command = [sys.executable, __file__, "--certify", str(folder), "--n", str(n), *flags]
    first, _, peak = _run_timed(command)
    output = json.loads(first)
    out = folder / "out"
    shards = _shards(folder)
    again = _run_timed(command)[1]
    report, verify = (_stage(name, out) for name in ("report", "verify"))
    cpu_seconds = [again, report, verify, _by_hand(out)]
    cpu_seconds.append(_stage("pack", out, folder / "all.h5"))
    cpu_seconds.append(_stage("diff", out, out))
    cpu_seconds.append(_stage("decide", out, "--tau", "0.8"))
    cpu_seconds.append(_stage("merge", folder / "merged", *shards))
    cells = [
        count,
        *(f"{1e3 * output[key]:.1f}" for key in ("median", "most", "last", "wall", "own")),
    ]
    cells += [f"{output['end']:.1f}", f"{peak:.0f}", f"{output['growth']:.1f}"]
    cells += [f"{seconds:.1f}" for seconds in cpu_seconds]
    return f"| {' | '.join(map(str, cells))} |"


def _stage(name: str, *arguments: object) -> float:
    """Return the CPU seconds of a command."""
    return _run_timed([sys.executable, "-m", "onnxcert", name, *map(str, arguments)])[1]


def _by_hand(out: Path) -> float:
    """Return the CPU seconds to read, hash and decide every record."""
    results, start = ResultStore(out), time.process_time()
    for name in results.names():
        with results.examine(name):
            results.read(name).certificate()
    return time.process_time() - start


def _shards(folder: Path) -> list[Path]:
    """Split the results into two shards and return their folders."""
    shards = [folder / "first", folder / "second"]
    for k, shard in enumerate(shards):
        shutil.copytree(folder / "out", shard)
        (shard / "index.jsonl").unlink(missing_ok=True)
        for path in [*(shard / "inputs").iterdir(), *(shard / "labels").iterdir()]:
            if int(path.stem) % 2 != k:
                path.unlink()
    return shards


def _run_timed(command: list[str]) -> tuple[str, float, float]:
    """Run a process and return (standard output, CPU seconds, peak MiB)."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    seconds = time.perf_counter() - start
    stage = command[3] if command[1] == "-m" else "certify"
    cpu_seconds = used.ru_utime + used.ru_stime
    print(
        f"{stage}: {seconds:.1f} s, {cpu_seconds:.1f} CPU s, {used.ru_maxrss // 1024} MiB",
        file=sys.stderr,
        flush=True,
    )
    return output, cpu_seconds, used.ru_maxrss / 1024


class _Stopwatch:
    """Progress observer that times each input and its draws and samples the memory."""

    def __init__(self) -> None:
        self.startup: list[float] = []
        self.cpu_seconds: list[float] = []
        self.resident: list[float] = []
        self._before = self._first = (0, time.perf_counter())
        self._ends, self._own = time.perf_counter(), time.process_time()

    def begin(self, _inputs: int, passes: int) -> None:
        self._passes = passes

    def advance(self, _name: str, _place: int, done: int) -> None:
        now = time.perf_counter()
        if self._before[0] == 0 and 0 < done < self._passes:
            self._first = (done, now)
        if done == self._passes and self._before[0] == self._passes:  # the record is stored
            self.startup.append(now - self._ends - self._passes * self._per_draw())
            cpu_seconds = time.process_time()
            self.cpu_seconds.append(cpu_seconds - self._own)
            self._ends, self._own = now, cpu_seconds
            self.resident.append(_resident())
        self._before = (done, now) if self._before[0] != done else self._before

    def report_batch_size(self, draws: int, why: str) -> None:
        if not self.startup:
            print(f"batch size {draws}: {why}", file=sys.stderr)

    def report_status(self, text: str) -> None: ...

    def _per_draw(self) -> float:
        (first, start), (last, end) = self._first, self._before
        return (end - start) / max(1, last - first)


def _certify(folder: Path, n: int, *, pictures: bool) -> dict[str, Any]:
    """Certify all images of `folder` and return the measurements."""
    listing = list_images([str(folder / "pictures")], str(folder / "labels"))
    watch = _Stopwatch()
    run = Run(
        segmenter=OnnxSegmenter.open(folder / "model.onnx", threads=1),
        listing=listing,
        settings=Settings(perturbation=Gaussian(0.1), n=n),
        store=ResultStore(folder / "out"),
        class_names=("red", "green", "blue"),
        pictures=pictures,
        watcher=watch,
    )
    start = time.perf_counter()
    run.execute(0)
    end = time.perf_counter()
    took = watch.startup[1:]
    if not took:
        return {}
    tenth = max(1, len(took) // 10)
    return {
        "median": float(np.median(took)),
        "most": float(np.quantile(took, 0.9)),
        "last": float(np.median(took[-tenth:])),
        "own": float(np.median(watch.cpu_seconds[1:])),
        "wall": (watch._ends - start) / len(listing.items),
        "end": end - watch._ends,
        "growth": watch.resident[-1] - watch.resident[tenth],
    }


def _resident() -> float:
    """Return the resident memory of this process in MiB; 0 if the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _make(folder: Path, count: int, side: int) -> None:
    """Write images of coloured patches, their labels, and a model that segments the colours."""
    rng = np.random.default_rng(0)
    for sub in ("pictures", "labels"):
        (folder / sub).mkdir()
    for i in range(count):
        labels = np.kron(rng.integers(0, 3, (4, 4)), np.ones((side // 4, side // 4), np.int64))
        picture = np.clip(COLOURS[labels] + rng.normal(0, 0.02, (side, side, 3)), 0, 1)
        Image.fromarray((255 * picture).astype(np.uint8)).save(folder / "pictures" / f"{i:05}.png")
        Image.fromarray(labels.astype(np.uint8)).save(folder / "labels" / f"{i:05}.png")
    weight = np.zeros((3, 3, 3, 3), np.float32)
    weight[range(3), range(3)] = 1 / 9
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight"], ["scores"], pads=[1, 1, 1, 1])],
        "patches",
        [
            helper.make_tensor_value_info(
                "image", TensorProto.FLOAT, ["batch", 3, "height", "width"]
            )
        ],
        [
            helper.make_tensor_value_info(
                "scores", TensorProto.FLOAT, ["batch", 3, "height", "width"]
            )
        ],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    contract = {"version": 1, "value_range": [0, 1], "classes": 3}
    helper.set_model_props(model, {"onnxcert": json.dumps(contract)})
    onnx.save(model, folder / "model.onnx")


if __name__ == "__main__":
    main()
