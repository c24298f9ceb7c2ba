"""Stop where it costs nothing: after the present pass, with the count kept.

A handler in Python is called between two instructions of Python, and so never during a pass, which
may take for ever. What must happen meanwhile is done by a thread that the interpreter tells of
signals at once.
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

_UNWINDING: Final = 5.0  # seconds to come to an end once the passes are ended


def exit_status(number: int) -> int:
    """Exit status of a command that a signal stopped, as shells know it."""
    return 128 + number


@contextmanager
def stopping_on_signal(run: Run) -> Iterator[list[int]]:
    """Let the first Ctrl-C, SIGTERM or SIGHUP stop `run` after the present pass, the second end it.

    Yields the numbers of the signals that came. Those that were ignored before (`nohup`) still are,
    but Ctrl-C, which shells ignore for whatever runs in the background.
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
    """Let the `at`-th signal that Python handles end passes of a model within the block.

    If the block does not end soon afterwards, or when one more signal comes, the process does:
    files are written so that nothing is lost then, and workers end with their driver.

    Args:
        at: how many signals are left to their handlers before.
        leave: ends the process with an exit status.
        unwinding: seconds that the block may go on for.
    """
    told, heard = socket.socketpair()
    told.setblocking(False)

    def signalled() -> int:
        """The number of the next signal, or 0 where the block has ended."""
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
