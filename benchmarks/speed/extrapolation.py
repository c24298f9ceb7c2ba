"""Cells that cannot be run in reasonable time or memory, from a smaller n of the same cell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .cells import Cell
from .measure import MIB, Row, whole


def too_large(cell: Cell) -> bool:
    """Whether the labels kept, or the scores of a batch, leave too little memory free."""
    scores = 4 * cell.batch * cell.components * cell.classes
    return cell.kept + 12 * scores > 0.7 * _available()


def seconds_of(row: Row) -> float:
    """One round of a measured row, without the loop of tests that was itself extrapolated."""
    every = ("network", "labels", "onnxcert", "reference")
    return float(sum(row[f"{name}_passes"] for name in every))


def extrapolated(cell: Cell, row: Row) -> Row:
    """The row of `cell` from that of a smaller n: passes grow with n, decisions do not."""
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
        out[f"over_{other}"] = whole(parts["onnxcert"]) / whole(parts[other])
    out["speedup"] = whole(parts["reference"]) / whole(parts["onnxcert"])
    return out


def _available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("MemAvailable is not in /proc/meminfo")
