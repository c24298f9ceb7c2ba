"""The command line: parse, call one public function, print. One file a command."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import typer

from onnxcert._version import __version__
from onnxcert.cli import certify, decide, diff, inspect, merge, pack, plan, report, study, verify
from onnxcert.cli.open_facts import lines
from onnxcert.errors import OnnxcertError
from onnxcert.model.question import OpenFacts

DONE, USER_ERROR = 0, 2

app = typer.Typer(
    name="onnxcert",
    help="Certified segmentation for any ONNX model, by randomized smoothing.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"onnxcert {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Certified segmentation for any ONNX model, by randomized smoothing."""


app.command("certify")(certify.command)
app.command("plan")(plan.command)
app.command("decide")(decide.command)
app.command("report")(report.command)
app.command("inspect")(inspect.command)
app.command("merge")(merge.command)
app.command("pack")(pack.command)
app.command("verify")(verify.command)
app.command("diff")(diff.command)
app.command("study")(study.command)


def run_command_line(arguments: list[str] | None = None, *, started: float | None = None) -> int:
    """Run one command and return its exit status; errors a user can mend are one sentence.

    Args:
        arguments: those after the program's name; None takes the process's own.
        started: `time.perf_counter()` when the process began, for the start-up time.
    """
    command: Any = typer.main.get_command(app)
    if arguments is None:
        arguments = sys.argv[1:]
    context = {
        "started": time.perf_counter() if started is None else started,
        "arguments": arguments,
    }
    try:
        status = command.main(
            args=arguments or ["--help"], prog_name="onnxcert", standalone_mode=False, obj=context
        )
    except OpenFacts as error:
        sentence, *more = lines(error, arguments)
        return _fail(sentence, more)
    except OnnxcertError as error:
        return _fail(str(error))
    except typer.TyperException as error:
        return _fail(error.format_message())
    except BrokenPipeError:
        sys.stderr.close()
        return DONE
    return status if isinstance(status, int) else DONE


def _fail(message: str, more: Sequence[str] = ()) -> int:
    print(f"onnxcert: {' '.join(message.split())}", *more, sep="\n", file=sys.stderr)
    return USER_ERROR
