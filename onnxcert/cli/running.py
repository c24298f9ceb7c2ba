"""A prepared run, from its announcement to its result."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from onnxcert.certification import fresh_seed
from onnxcert.cli.interrupt import stopping_on_signal
from onnxcert.cli.progress import Bar
from onnxcert.errors import InputError
from onnxcert.model.contract import ASSUMED
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report.summary import Summary
from onnxcert.report.table import json_object
from onnxcert.run import Run

SOME_SKIPPED: Final = 3
INTERRUPTED: Final = 130


def executed(run: Run, *, announced: bool) -> Summary | None:
    """The summary of the run, or None if it was interrupted.

    Where it is `announced`, the header goes to standard error once nothing is refused any more.

    Raises:
        InputError: no input could be used.
    """
    console = Console(stderr=True)
    interrupted = False
    try:
        with ExitStack() as stack:
            run.watcher = stack.enter_context(
                Bar(console, lambda: header(run) if announced else "")
            )
            stack.enter_context(stopping_on_signal(run))
            summary = run.execute(fresh_seed())
    except KeyboardInterrupt:
        print(
            f"onnxcert: interrupted; what is done is kept in {run.store.folder}, and the same "
            f"command with --out {run.store.folder} goes on from there"
            + (
                f"; onnxcert report {run.store.folder} shows what is certified so far."
                if run.store.names()
                else "."
            ),
            file=sys.stderr,
        )
        summary, interrupted = None, True
    if run.figures.missing:
        print(f"onnxcert: {run.figures.sentence()}", file=sys.stderr)
    if interrupted:
        return None
    if summary is None:
        raise InputError(
            f"none of {len(run.skipped)} inputs could be used; the first: "
            f"{next(iter(run.skipped.values()), 'there is none')}"
        )
    return summary


def result(run: Run, summary: Summary, model: str, started: float) -> dict[str, Any]:
    """The run as JSON values."""
    return json_object(
        summary,
        model=model,
        settings=run.settings.as_dict(),
        skipped=[f"{name}: {reason}" for name, reason in run.skipped.items()],
        warnings=summary.notes,
        seconds={
            "total": time.perf_counter() - started,
            "forward": run.forward,
            "startup": run.clock.startup,
            "report": run.clock.report,
        },
        out=str(run.store.folder),
    )


def default_folder(model: Path, run: Run, seed: int | None) -> Path:
    """A folder that another model, other parameters or another shard never share."""
    name = model.resolve().parent.name if model.name == "model.onnx" else model.stem
    asked = json.dumps({**run.asked(), "seed": seed}, sort_keys=True)
    name = f"{name}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
    if run.shard is not None:
        name += f"-shard-{run.shard.number}-of-{run.shard.count}"
    return Path("onnxcert-results") / name


def header(run: Run) -> str:
    """What is about to be done, and on which grounds."""
    runtime = run.runtime
    crew = "" if run.crew is None else f" in {run.crew.described}"
    lines = [
        f"model   {run.segmenter.file.path} on {runtime.device} ({runtime.provider}, "
        f"{runtime.threads} thread{'s' if runtime.threads > 1 else ''}){crew}",
        run.segmenter.entry.said,
        answer_line(run.segmenter),
        *(f"lint    {f.node} {f.message}" for f in run.segmenter.findings),
    ]
    if runtime.note:
        lines.append(f"device  {runtime.note}")
    return "\n".join(lines)


def answer_line(segmenter: OnnxSegmenter) -> str:
    """What the output is taken for, and who said so, in one line."""
    contract = segmenter.contract
    form, layout = (
        contract.sources.get(field, ASSUMED) for field in ("output_form", "output_layout")
    )
    parts = [
        f"answer  {contract.output_form} ({form}) in {contract.output!r}",
        f"axes {contract.output_axes} ({layout})",
        *([f"{contract.classes} classes"] if contract.classes else []),
    ]
    if contract.binary:
        parts.append(f"yes above {contract.decision_threshold:g}")
    if segmenter.resized_from is not None:
        parts.append(f"resized from {'x'.join(map(str, segmenter.resized_from))}")
    if segmenter.rows == 1:
        parts.append("one input a pass")
    return ", ".join(parts)
