"""Stop on a signal after the current pass, and keep the votes counted so far.

Python calls a signal handler only between two instructions of Python, so never during a pass, which
may take for ever. A thread that the interpreter notifies of signals at once can end the pass.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from onnxcert.model.running.passes import allow_passes, end_passes
from onnxcert.run import Run
from onnxcert.workers.processes import STOPS

_UNWINDING: Final = 5.0  # seconds for the program to end by itself once its passes are ended


def exit_status(number: int) -> int:
    """Return the exit status of a command that a signal stopped, by the convention of shells."""
    return 128 + number


@contextmanager
def stopping_on_signal(run: Run) -> Iterator[list[int]]:
    """Stop `run` after the current pass at the first Ctrl-C, SIGTERM or SIGHUP.

    The second one ends the current pass. Yields the list of the signals received. Signals that were
    ignored before (`nohup`) stay ignored, except SIGINT, which shells ignore for background jobs.
    """
    came: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        run.stopping = True

    before = {number: signal.getsignal(number) for number in STOPS}
    heeded = [n for n in STOPS if n == signal.SIGINT or before[n] != signal.SIG_IGN]
    with ending_passes(2):
        for number in heeded:
            signal.signal(number, ask)
        try:
            yield came
        finally:
            for number in heeded:
                signal.signal(number, before[number])


@contextmanager
def ending_passes(
    at: int, leave: Callable[[int], object] = os._exit, unwinding: float = _UNWINDING
) -> Iterator[None]:
    """End passes of a model within the block at the `at`-th signal that Python handles.

    If the block does not end within `unwinding` seconds after that, or if one more signal comes,
    the process ends. Files on disk stay intact, and workers end with their driver.

    Args:
        at: which signal ends the passes; earlier ones are left to their handlers.
        leave: ends the process with an exit status.
        unwinding: seconds for which the block may still run.
    """
    told, heard = socket.socketpair()
    told.setblocking(False)

    def signalled() -> int:
        """Return the number of the next signal, or 0 if the block has ended."""
        while number := int.from_bytes(heard.recv(1)):
            if number in STOPS:
                return number
        return 0

    def listen() -> None:
        numbers = [signalled() for _ in range(at)]
        if not numbers[-1]:
            return
        end_passes()
        heard.settimeout(unwinding)
        with suppress(TimeoutError):
            numbers.append(signalled())
        if numbers[-1]:
            leave(exit_status(numbers[-1]))

    listener = threading.Thread(target=listen, name="onnxcert-signals", daemon=True)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()
        listener.join()
        heard.close()
        allow_passes()
