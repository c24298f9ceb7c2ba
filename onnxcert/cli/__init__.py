"""The command line: parse options, call one public function, print. One file per command."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from typing import Any, Final

import typer

from onnxcert._version import __version__
from onnxcert.cli.help import Command, LazyGroup
from onnxcert.cli.options.base import expand_groups
from onnxcert.cli.terminal import OutputError, guard_streams
from onnxcert.cli.usage import describe_usage_error
from onnxcert.errors import COMMAND_LINE, ContractError, OnnxcertError

# Exit statuses; 141 is what shells report after SIGPIPE.
DONE, USER_ERROR, SOME_SKIPPED, PIPE_CLOSED = 0, 2, 3, 141

# Command, and module of this package -> help. So --help loads no command.
COMMANDS: Final = {
    "certify": "Certify the model's predictions on inputs.",
    "plan": "Compute how many draws a certificate needs.",
    "decide": "Decide certificates again from stored votes.",
    "report": "Print the table of a run.",
    "inspect": "Print the contract of a model and the lint's findings.",
    "merge": "Merge the shards of one run into one folder.",
    "pack": "Pack a run into one portable HDF5 file.",
    "verify": "Check stored results.",
    "diff": "Compare two runs.",
    "study": "Repeat the paper's experiments, or calibrate the rules.",
}
# No rich markup: Typer would colour the help, and `GuardedStream` escapes colours.
_PLAIN: Final[dict[str, Any]] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}


@cache
def load_command(name: str) -> Any:
    """Import the command `name` and return it."""
    module = import_module(f"{__name__}.{name}")
    app = typer.Typer(add_completion=False, **_PLAIN)
    app.command(name, cls=Command)(expand_groups(module.command))
    command: Any = typer.main.get_command(app)
    command.most_used = getattr(module, "MOST_USED", ())
    command.read_defaults = getattr(module, "read_defaults", None)
    return command


class _Commands(LazyGroup):
    summaries = COMMANDS
    load = staticmethod(load_command)


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"onnxcert {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="onnxcert",
    cls=_Commands,
    help="Certified segmentation for any ONNX model, by randomized smoothing.",
    **_PLAIN,
)


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Certified segmentation for any ONNX model, by randomized smoothing."""


def run_command_line(arguments: list[str] | None = None, *, started: float | None = None) -> int:
    """Run one command and return its exit status; print an error that a user can fix as a sentence.

    Args:
        arguments: Arguments after the program name; None for those of the process.
        started: `time.perf_counter()` at process start, to measure the start-up time.
    """
    if arguments is None:
        arguments = sys.argv[1:]
    context = {
        "started": time.perf_counter() if started is None else started,
        "arguments": arguments,
    }
    token = COMMAND_LINE.set(True)
    with guard_streams(), _fit_tables():
        try:
            status = _run(arguments or ["--help"], context)
            sys.stdout.flush()  # here, so that a failure can still be reported
            return status
        except SystemExit as end:  # Typer raises it: 0 after completion, 1 for a closed pipe
            return PIPE_CLOSED if end.code else DONE
        except OSError as error:
            if error.errno == errno.EPIPE:
                return PIPE_CLOSED
            return _fail(_describe_os_error(error))
        except Exception as error:
            message = _describe_machine_failure(error)
            if message is None:
                raise  # a bug: print its traceback
            return _fail(message)
        finally:
            COMMAND_LINE.reset(token)


def _run(arguments: list[str], context: dict[str, Any]) -> int:
    command: Any = typer.main.get_command(app)
    try:
        status = command.main(
            args=arguments, prog_name="onnxcert", standalone_mode=False, obj=context
        )
    except ContractError as error:
        from onnxcert.cli.questions import format_questions

        return _fail(*format_questions(error, arguments))
    except OnnxcertError as error:
        return _fail(str(error))
    except typer.TyperException as error:
        return _fail(describe_usage_error(error))
    except typer.Abort:  # Typer raises it for an EOFError
        return _fail("a file is shorter than its header says; create it again or leave it out.")
    return status if isinstance(status, int) else DONE


@contextmanager
def _fit_tables() -> Iterator[None]:
    """Make tables as wide as the terminal inside the block, if standard output is one."""
    if not sys.stdout.isatty():
        yield
        return
    from onnxcert.report.tables.text import LINE_WIDTH

    before = LINE_WIDTH.set(shutil.get_terminal_size().columns)
    try:
        yield
    finally:
        LINE_WIDTH.reset(before)


def _describe_os_error(error: OSError) -> str:
    """Return the message for an operating system error that was not handled elsewhere."""
    reason = error.strerror or str(error)
    if isinstance(error, OutputError):
        return f"{reason}; write the output elsewhere and run the same command again."
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{where}too many files are open; raise the limit (ulimit -n) to 256 or more."
    return (
        f"{where}the system reports {reason.lower()!r}; fix that and run the same command again; "
        "results already saved are intact."
    )


def _describe_machine_failure(error: Exception) -> str | None:
    """Return the message if the machine lacks memory, a library or threads; otherwise None."""
    text = str(error)
    if isinstance(error, MemoryError):
        return (
            f"there is not enough memory{f' ({text})' if text else ''}; free some or raise the "
            "limit (ulimit -v), or certify smaller inputs; results already saved are intact."
        )
    if isinstance(error, ImportError) or "can't start new thread" in text:
        return (
            f"a part of onnxcert cannot be loaded or started ({text}); raise the limits on memory, "
            "open files and processes (ulimit -a), or reinstall onnxcert."
        )
    return None


def _fail(message: str, *more: str) -> int:
    first = f"onnxcert: {' '.join(message.split())}"
    with suppress(OSError):  # if standard error fails, the exit status still reports the error
        print(first, *more, sep="\n", file=sys.stderr, flush=True)
    return USER_ERROR
