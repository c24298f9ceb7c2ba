"""Execution of a run, from its header to its result."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from onnxcert.cli.interrupt import exit_status, stop_on_signal
from onnxcert.cli.progress_bar import ProgressBar
from onnxcert.cli.terminal import raw_stderr
from onnxcert.data import Shard
from onnxcert.errors import InputError, OnnxcertError
from onnxcert.model.contract.base import ASSUMED
from onnxcert.model.graph.lint import group_by_message
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report.objects.run import run_object
from onnxcert.report.tables.summary import Summary
from onnxcert.run.run import Run
from onnxcert.sampling.draws import random_seed


def execute(run: Run, *, print_header: bool, resume_command: str) -> Summary | int:
    """Execute the run; return its summary, or the exit status if it was interrupted.

    Args:
        run: The run.
        print_header: Whether to print the header to standard error when all checks have passed.
        resume_command: Command that resumes the run.

    Raises:
        InputError: No input could be used.
    """
    # Width from the standard library, because rich takes COLUMNS=0 literally.
    console = Console(file=raw_stderr(), width=shutil.get_terminal_size().columns)
    received: list[int] = []
    summary: Summary | None = None
    status: int | None = None
    try:
        with ExitStack() as stack:
            run.watcher = stack.enter_context(
                ProgressBar(console, lambda: format_header(run) if print_header else "")
            )
            received = stack.enter_context(stop_on_signal(run))
            summary = run.execute(random_seed())
    except (KeyboardInterrupt, OnnxcertError) as error:
        if isinstance(error, OnnxcertError) and not received:
            raise  # after a signal, the error may be only its consequence
        folder = run.store.folder
        print(
            f"onnxcert: interrupted; finished work is saved in {folder}; {resume_command} resumes "
            "the run"
            + (
                f"; onnxcert report {shlex.quote(str(folder))} shows the results so far."
                if run.store.names()
                else "."
            ),
            file=sys.stderr,
        )
        status = exit_status(received[0] if received else signal.SIGINT)
    if run.figures.missing:
        print(f"onnxcert: {run.figures.sentence()}", file=sys.stderr)
    if status is not None:
        return status
    if summary is None:
        raise InputError(
            f"none of {len(run.skipped)} inputs could be used; the first: "
            f"{next(iter(run.skipped.values()), 'there are no inputs')}"
        )
    return summary


def resume_command(
    arguments: Sequence[str], out: Path | None, run: Run, heads: Sequence[Any]
) -> str:
    """Return the command that resumes an interrupted run.

    Args:
        arguments: Arguments of the command line.
        out: Value of --out, if given.
        run: The run.
        heads: Names of the outputs in --output, each of which has its own run.
    """
    # With several outputs each has its own folder, which the same command finds by itself.
    added = [] if out is not None or len(heads) > 1 else ["--out", str(run.store.folder)]
    return f"onnxcert {shlex.join([*arguments, *added])}"


def result_object(run: Run, summary: Summary, started: float) -> dict[str, Any]:
    """Return the run as JSON values; `started` is its start by `time.perf_counter()`."""
    return run_object(
        summary,
        out=str(run.store.folder),
        seconds={
            "total": time.perf_counter() - started,
            "forward": run.forward,
            "startup": run.clock.startup,
            "report": run.clock.report,
        },
    )


def default_folder(
    model: Path, parameters: Mapping[str, Any], seed: int | None, shard: Shard | None
) -> Path:
    """Return a folder name that is unique to the model, the parameters and the shard."""
    name = model.resolve().parent.name if model.name == "model.onnx" else model.stem
    asked = json.dumps({**parameters, "seed": seed}, sort_keys=True)
    name = f"{name}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
    if shard is not None:
        name += f"-shard-{shard.number}-of-{shard.count}"
    return Path("onnxcert-results") / name


def format_header(run: Run) -> str:
    """Return the model, its device and its contract with sources, and the findings of the lint."""
    runtime = run.runtime
    workers = "" if run.crew is None else f" in {run.crew.described}"
    lines = [
        f"model   {run.segmenter.file.path} on {runtime.device} ({runtime.provider}, "
        f"{runtime.threads} thread{'s' if runtime.threads > 1 else ''}){workers}",
        run.segmenter.entry.description,
        format_output(run.segmenter),
        *(f"lint    {f.node} {f.message}" for f in group_by_message(run.segmenter.findings)),
        *(f"unused  {note}" for note in run.segmenter.file.list_unused(run.segmenter.contract)),
    ]
    if runtime.note:
        lines.append(f"device  {runtime.note}")
    return "\n".join(lines)


def format_output(segmenter: OnnxSegmenter) -> str:
    """Return the contract of the output, with the source of each part, as one line."""
    contract = segmenter.contract
    form, layout = (
        contract.sources.get(field, ASSUMED) for field in ("output_form", "output_layout")
    )
    parts = [
        f"output  {contract.output_form} ({form}) in {contract.output!r}",
        f"axes {contract.output_axes} ({layout})",
        *([f"{contract.classes} classes"] if contract.classes else []),
    ]
    if contract.binary:
        parts.append(f"class 1 above {contract.decision_threshold:g}")
    if segmenter.resized_from is not None:
        parts.append(f"resized from {'x'.join(map(str, segmenter.resized_from))}")
    if segmenter.rows == 1:
        parts.append("one input per pass")
    return ", ".join(parts)
