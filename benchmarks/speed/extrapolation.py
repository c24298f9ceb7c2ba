"""Extrapolation from a smaller n, for cells that need too much time or memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .cells import Cell
from .measure import MIB, Row, total_seconds


def too_large(cell: Cell) -> bool:
    """Return whether the stored labels and the scores of a batch need too much memory."""
    scores = 4 * cell.batch * cell.components * cell.classes
    return cell.kept + 12 * scores > 0.7 * _available()


def seconds_of(row: Row) -> float:
    """Return the seconds of one round, without the test loop, which is itself extrapolated."""
    every = ("network", "labels", "onnxcert", "reference")
    return float(sum(row[f"{name}_passes"] for name in every))


def extrapolate(cell: Cell, row: Row) -> Row:
    """Return the row of `cell` from that of a smaller n: passes scale with n, decisions do not."""
    factor = cell.n / row["n"]
    out = dict(row) | {"n": cell.n, "note": f"from n {row['n']}"}
    for name in ("network", "labels", "onnxcert", "reference"):
        out[f"{name}_passes"] *= factor
        out[f"{name}_cpu"] *= factor
    out["reference_peak"] += (cell.kept - replace(cell, n=row["n"]).kept) / MIB
    parts = {
        name: {"passes": out[f"{name}_passes"], "decision": out.get(f"{name}_decision", 0.0)}
        for name in ("network", "labels", "onnxcert", "reference")
    }
    for other in ("network", "labels"):
        out[f"over_{other}"] = total_seconds(parts["onnxcert"]) / total_seconds(parts[other])
    out["speedup"] = total_seconds(parts["reference"]) / total_seconds(parts["onnxcert"])
    return out


def _available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("MemAvailable is not in /proc/meminfo")
