"""Output of the measurements as CSV and as a dated Markdown page."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .contenders import ENOUGH, N0, TESTED
from .measure import Row, total_seconds

PACKAGES = ("numpy", "scipy", "statsmodels", "onnx", "onnxruntime-gpu", "onnxruntime", "torch")
HEAD = (
    "model",
    "size",
    "classes",
    "n",
    "batch",
    "threads",
    "(a) s",
    "(a') s",
    "(b) s",
    "(c) s",
    "b/a",
    "b/a'",
    "CPU b/a'",
    "CPU b/a', noise apart",
    "c/b",
    "passes c/b",
    "CPU passes c/b",
    "decision b, ms",
    "decision c, s",
    "decision c/b",
    "(b) MiB",
    "(c) MiB",
    "",
)
READING = f"""\
(a) bare ONNX Runtime: the exported model, the same number of passes, one after the other, all
threads in one pass; output of scores, no votes. (a') the same number of passes of the graph that
onnxcert runs, with its vote head and as many passes at once, and nothing else. (b) onnxcert:
draws, passes, votes, decision. (c) the reference design: PyTorch eager, independent noise for every
sample, argmax, all labels stored, one SciPy binomial test per component in a loop, Holm by
statsmodels. All do n passes; (c) selects from the first {N0} and tests the others.

Every program runs in its own process and they alternate. Times are medians over the rounds, ratios
are medians of the ratios within each round. "CPU" compares CPU seconds, which other users of the
machine affect least. "noise apart" leaves out the thread that draws noise, as if it had its own
core (only where one thread runs the model). MiB: peak memory, and in brackets the increase over the
loaded process. "~": extrapolated, either the test loop from {TESTED} random components or the
passes of (c) from the first {ENOUGH:g} s."""


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write all numbers as CSV."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        writer.writerows(rows)


def page(
    rows: Sequence[Row],
    threads: Sequence[Row],
    commands: Sequence[Row],
    *,
    date: str,
    command: str,
    note: str,
) -> str:
    """Return the Markdown page."""
    lines = [f"# Speed beside bare ONNX Runtime and the reference design, {date}", ""]
    lines += [f"    {command}", "", f"{machine()}{' ' + note if note else ''}", "", READING, ""]
    lines += grid(HEAD, [cells(row) for row in rows])
    if threads:
        lines += ["", "## Threads", "", "Milliseconds per image of the exported model.", ""]
        lines += grid(
            ("model", "size", "arrangement", "wall", "CPU"),
            [
                (r["model"], r["size"], r["arrangement"], f"{r['wall']:.2f}", f"{r['cpu']:.2f}")
                for r in threads
            ],
        )
    if commands:
        lines += ["", "## The whole command line", ""]
        lines += ["Seconds of `onnxcert certify`; the rest is without start-up and figures.", ""]
        parts = ("total", "forward", "startup", "report", "rest")
        lines += grid(
            ("cell", *parts),
            [(r["cell"], *(f"{r[part]:.2f}" for part in parts)) for r in commands],
        )
    return "\n".join(lines) + "\n"


def cells(row: Row) -> tuple[str, ...]:
    """Return the cells of one row as text."""
    seconds = [
        total_seconds({"passes": row[f"{x}_passes"], "decision": row.get(f"{x}_decision", 0.0)})
        for x in ("network", "labels", "onnxcert", "reference")
    ]
    partly = "~" if row["height"] * row["width"] > TESTED else ""
    scaled = "~" if row["reference_timed"] < row["n"] else ""
    memory = [
        f"{row[f'{x}_peak']:.0f} ({row[f'{x}_peak'] - row[f'{x}_loaded']:+.0f})"
        for x in ("onnxcert", "reference")
    ]
    return (
        row["model"],
        f"{row['height']}x{row['width']}",
        *(str(row[key]) for key in ("classes", "n", "batch", "threads")),
        *(f"{value:.3g}" for value in seconds[:3]),
        f"{partly}{seconds[3]:.3g}",
        *(f"{row[key]:.2f}" for key in ("over_network", "over_labels", "over_labels_cpu")),
        f"{row['over_labels_apart']:.3f}" if "over_labels_apart" in row else "",
        f"{partly}{row['speedup']:.1f}",
        f"{scaled}{row['speedup_passes']:.1f}",
        f"{scaled}{row['speedup_cpu']:.1f}",
        f"{1e3 * row['onnxcert_decision']:.2f}",
        f"{partly}{row['reference_decision']:.2f}",
        f"{partly}{row['speedup_decision']:.0f}",
        *memory,
        f"extrapolated {row['note']}" if "note" in row else "",
    )


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]


def machine() -> str:
    """Return architecture, cores and versions, without names of machines."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    kind = f"{platform.machine()}, {os.cpu_count()} cores"
    return f"{kind}; Python {platform.python_version()}, {', '.join(found)}."
