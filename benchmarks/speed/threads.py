"""Time per image with one thread, all threads in one pass, or one pass for each thread."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from onnxcert.model.graph.file import read_model
from onnxcert.model.runtime.session import open_session

from .cells import Cell
from .contenders import example_image
from .measure import Row


def measure_arrangements(cell: Cell, model: Path, *, rounds: int) -> list[Row]:
    """Return wall and CPU milliseconds per image of each arrangement, measured alternately."""
    proto = read_model(model).proto
    one, many = (open_session(proto, device="cpu", threads=t).runtime for t in (1, cell.threads))
    feeds = {one.get_inputs()[0].name: np.stack([example_image(cell)] * cell.batch)}
    passes = max(2 * cell.threads, 40 // cell.batch)
    ways = {
        "1 thread": (one, 1),
        f"{cell.threads} threads in one pass": (many, 1),
        f"{cell.threads} passes at once, 1 thread each": (one, cell.threads),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for name, (session, at_once) in [*ways.items()] * (rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda _, s=session: s.run(None, feeds), range(passes)))
        pair = (time.perf_counter() - wall, time.process_time() - cpu)
        found[name].append(pair)
    shown = []
    for name, pairs in found.items():
        walls, cpus = zip(*pairs[1:], strict=True)  # the first round warms up
        images = passes * cell.batch
        shown.append(
            {
                "model": cell.model,
                "size": f"{cell.height}x{cell.width}",
                "arrangement": name,
                "wall": 1e3 * statistics.median(walls) / images,
                "cpu": 1e3 * statistics.median(cpus) / images,
            }
        )
    return shown
