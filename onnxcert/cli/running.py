"""A prepared run, from its announcement to its result."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from onnxcert.certification import fresh_seed
from onnxcert.cli.interrupt import exit_status, stopping_on_signal
from onnxcert.cli.progress import Bar
from onnxcert.cli.terminal import raw_stderr
from onnxcert.errors import InputError, OnnxcertError
from onnxcert.model.contract import ASSUMED
from onnxcert.model.lint import together
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.sidecars.carried import unused
from onnxcert.report.summary import Summary
from onnxcert.report.table import json_object
from onnxcert.run import Run

SOME_SKIPPED: Final = 3


def executed(run: Run, *, announced: bool, again: str) -> Summary | int:
    """Execute the run; return its summary, or the exit status if it was interrupted.

    Args:
        announced: whether to print the header to standard error once all checks have passed.
        again: the command that resumes the run.

    Raises:
        InputError: no input could be used.
    """
    # The width from the standard library, because rich takes COLUMNS=0 literally.
    console = Console(file=raw_stderr(), width=shutil.get_terminal_size().columns)
    came: list[int] = []
    summary: Summary | None = None
    status: int | None = None
    try:
        with ExitStack() as stack:
            run.watcher = stack.enter_context(
                Bar(console, lambda: header(run) if announced else "")
            )
            came = stack.enter_context(stopping_on_signal(run))
            summary = run.execute(fresh_seed())
    except (KeyboardInterrupt, OnnxcertError) as error:
        if isinstance(error, OnnxcertError) and not came:
            raise  # after a signal, the error may be only its consequence
        print(
            f"onnxcert: interrupted; what is done is kept in {run.store.folder}, and {again} goes "
            "on from there"
            + (
                f"; onnxcert report {shlex.quote(str(run.store.folder))} shows what is certified "
                "so far."
                if run.store.names()
                else "."
            ),
            file=sys.stderr,
        )
        status = exit_status(came[0] if came else signal.SIGINT)
    if run.figures.missing:
        print(f"onnxcert: {run.figures.sentence()}", file=sys.stderr)
    if status is not None:
        return status
    if summary is None:
        raise InputError(
            f"none of {len(run.skipped)} inputs could be used; the first: "
            f"{next(iter(run.skipped.values()), 'there is none')}"
        )
    return summary


def again(arguments: Sequence[str], out: Path | None, run: Run, heads: Sequence[Any]) -> str:
    """Return the command that resumes an interrupted run.

    Args:
        arguments: of the command line.
        out: the folder that it names. heads: the outputs that it names, each with its own run.
    """
    # With several outputs each has its own folder, which the same command finds again.
    words = [] if out is not None or len(heads) > 1 else ["--out", str(run.store.folder)]
    return f"onnxcert {shlex.join([*arguments, *words])}"


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
        *(f"lint    {f.node} {f.message}" for f in together(run.segmenter.findings)),
        *(f"beside  {note}" for note in unused(run.segmenter.file, run.segmenter.contract)),
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
