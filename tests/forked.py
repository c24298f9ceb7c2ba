"""The command in a process of its own that has imported everything already.

Real processes, for SIGKILL and for signals, at a fraction of the time: a server that imports the
package once is forked for each. What is tested of the start itself wants `python -m onnxcert`.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from waiting import LIMIT

from onnxcert.cli import COMMANDS
from onnxcert.run import STOPS

Prepare = Callable[[], object]


class Started:
    """`onnxcert ARGUMENTS`, started; the part of `subprocess.Popen` that tests need.

    Args:
        arguments: of the command.
        prepare: called in the process before; importable by name, with arguments that are.
    """

    def __init__(self, arguments: Sequence[str], prepare: Prepare | None = None) -> None:
        context = multiprocessing.get_context("forkserver")
        commands = (f"onnxcert.cli.{name}" for name in COMMANDS)
        context.set_forkserver_preload([*commands, "matplotlib.pyplot"])
        self._said = Path(tempfile.mkdtemp())
        self._process = context.Process(target=_main, args=(arguments, self._said, prepare))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative where a signal ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float = LIMIT) -> tuple[bytes, bytes]:
        """Wait for its end: what it wrote to standard output and to standard error."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, f"it still runs after {timeout} s"
        out, err = ((self._said / name) for name in ("out", "err"))
        said = [path.read_bytes() if path.exists() else b"" for path in (out, err)]
        shutil.rmtree(self._said, ignore_errors=True)
        return said[0], said[1]


def _main(arguments: Sequence[str], said: Path, prepare: Prepare | None) -> None:
    os.setsid()  # so that signals to its group reach it and what it starts, and nothing else
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(said / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    # Pytest, `nohup`, or a shell that starts it in the background may have signals ignored.
    for stop in STOPS:
        signal.signal(stop, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["onnxcert", *arguments]
    if prepare is not None:
        prepare()
    from onnxcert.__main__ import main

    main()


STEPS = ("fsync", "replace", "rename", "unlink")  # the functions of `os` that a file passes


def signal_at(
    step: int,
    number: int = signal.SIGKILL,
    steps: Sequence[str] = STEPS,
    wanted: tuple[Path, str] | None = None,
) -> None:
    """Send this process a signal instead of its `step`-th call of any of these functions of `os`.

    They are counted from when a file fits the pattern `wanted` below a folder.
    """
    left = step

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if wanted is None or left < step or any(wanted[0].glob(wanted[1])):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), number)
            return call(*arguments, **options)

        return wrapper

    for name in steps:
        setattr(os, name, counted(getattr(os, name)))


def without_locks() -> None:
    """Let every lock of the file system fail, as on NFS without a lock daemon."""
    import fcntl

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    fcntl.flock = flock


def interrupt_while_opening() -> None:
    """Let Ctrl-C come while the model is being opened."""
    import onnxcert.model.network.network as network

    # To this very thread: one sent to the process may reach it any time later.
    network.open_session = lambda *_, **__: signal.raise_signal(signal.SIGINT)  # type: ignore[assignment, return-value]
