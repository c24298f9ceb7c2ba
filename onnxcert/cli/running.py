"""Execution of a run, from its header to its result."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from onnxcert.api.presets import QUICK
from onnxcert.cli.interrupt import exit_status, stop_on_signal
from onnxcert.cli.progress_bar import ProgressBar
from onnxcert.cli.terminal import raw_stderr
from onnxcert.errors import InputError, OnnxcertError
from onnxcert.model.contract.base import ASSUMED
from onnxcert.model.graph.lint import group_by_message
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report.objects.run import run_object
from onnxcert.report.tables.summary import Summary
from onnxcert.run.run import Run
from onnxcert.sampling.draws import random_seed


@dataclass(frozen=True)
class Shown:
    """What a run prints to standard error while it runs.

    Attributes:
        header: Whether to print the header when all checks have passed.
        bar: Whether to show the progress bar, on a terminal.
        details: Whether to print what is chosen, measured and restored.
        origins: Flags that a preset or a file set -> the preset or file.
    """

    header: bool = True
    bar: bool = True
    details: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)


def execute(run: Run, *, shown: Shown, resume_command: str) -> Summary | int:
    """Execute the run; return its summary, or the exit status if it was interrupted.

    Args:
        run: The run.
        shown: What to print to standard error.
        resume_command: Command that resumes the run.

    Raises:
        InputError: No input could be used.
    """
    # Width from the standard library, because rich takes COLUMNS=0 literally.
    console = Console(
        file=raw_stderr(), width=shutil.get_terminal_size().columns, quiet=not shown.bar
    )
    resumed = run.store.run() is not None
    received: list[int] = []
    summary: Summary | None = None
    status: int | None = None
    try:
        with ExitStack() as stack:
            run.watcher = stack.enter_context(
                ProgressBar(
                    console, lambda: _format_shown(run, shown, resumed), details=shown.details
                )
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


def resume_command(arguments: Sequence[str], out: Path | None, run: Run, heads: int) -> str:
    """Return the command that resumes an interrupted run.

    Args:
        arguments: Arguments of the command line.
        out: Value of --out, if given.
        run: The run.
        heads: Number of outputs in --output, each of which has its own run.
    """
    # With several outputs each has its own folder, which the same command finds by itself.
    added = [] if out is not None or heads > 1 else ["--out", str(run.store.folder)]
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


def _format_shown(run: Run, shown: Shown, resumed: bool) -> str:
    """Return the header and the details of a run, as far as they are shown."""
    parts = [format_header(run)] if shown.header else []
    if shown.details:
        parts.append(format_details(run, shown.origins, resumed))
    return "\n".join(parts)


def format_details(run: Run, origins: Mapping[str, str], resumed: bool) -> str:
    """Return the settings that were chosen, and what is stored already."""
    settings = run.settings.as_dict()
    stored = run.store.run() or {}
    chosen = "given" if run.seed is not None else "stored" if resumed else "chosen at random"
    lines = [
        f"rule    {', '.join(f'{name} {value}' for name, value in settings.items())}",
        *(f"option  {flag} is from {origin}" for flag, origin in origins.items()),
        f"seed    {stored.get('seed')} ({chosen})",
        f"inputs  {len(run.listing.items)}, of which {len(run.store.names())} are stored already",
        f"folder  {run.store.folder}",
    ]
    return "\n".join(lines)


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
    if run.settings.preset == QUICK:
        lines.append(
            f"preset  quick: n {run.settings.n}, 20 % above the least n that can certify anything"
        )
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
