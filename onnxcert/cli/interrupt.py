"""Stopping a run on a signal after the current pass, keeping the votes counted so far.

Python calls a signal handler only between two Python instructions, so never during a model pass,
which may hang. A thread that is notified of signals immediately (`signal.set_wakeup_fd`) can end
the pass.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Final

from onnxcert.run import STOPS

if TYPE_CHECKING:
    from onnxcert.run.run import Run

_GRACE: Final = 5.0  # seconds for the program to exit by itself after its passes were ended


def exit_status(number: int) -> int:
    """Return the exit status of a command that was stopped by a signal, as shells define it."""
    return 128 + number


@contextmanager
def stop_on_signal(run: Run) -> Iterator[list[int]]:
    """Stop `run` after the current pass at the first Ctrl-C, SIGTERM or SIGHUP.

    The second signal ends the current pass. Yields the list of received signals. Signals that were
    ignored before (`nohup`) stay ignored, except SIGINT, which shells ignore for background jobs.
    """
    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        run.stopping = True

    before = {number: signal.getsignal(number) for number in STOPS}
    handled = [n for n in STOPS if n == signal.SIGINT or before[n] != signal.SIG_IGN]
    with end_passes_on_signal(2):
        for number in handled:
            signal.signal(number, handle)
        try:
            yield received
        finally:
            for number in handled:
                signal.signal(number, before[number])


@contextmanager
def end_passes_on_signal(
    count: int, exit_process: Callable[[int], object] = os._exit, grace: float = _GRACE
) -> Iterator[None]:
    """End model passes within the block at the `count`-th signal that Python handles.

    The process exits if the block has not ended `grace` seconds after that, or at one more signal.
    Files on disk stay intact, and workers end with their driver.

    Args:
        count: Number of the signal that ends the passes; earlier ones are left to their handlers.
        exit_process: Function that ends the process with an exit status.
        grace: Seconds that the block may still run.
    """
    writer, reader = socket.socketpair()
    writer.setblocking(False)

    def receive() -> int:
        """Return the number of the next signal, or 0 if the block has ended."""
        while number := int.from_bytes(reader.recv(1)):
            if number in STOPS:
                return number
        return 0

    def listen() -> None:
        numbers = [receive() for _ in range(count)]
        if not numbers[-1]:
            return
        _call_passes("end_passes")
        reader.settimeout(grace)
        with suppress(TimeoutError):
            numbers.append(receive())
        if numbers[-1]:
            exit_process(exit_status(numbers[-1]))

    listener = threading.Thread(target=listen, name="onnxcert-signals", daemon=True)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()
        listener.join()
        reader.close()
        _call_passes("allow_passes")


def _call_passes(function: str) -> None:
    """Call a function of the module that runs passes; do nothing if no pass can be running yet."""
    passes = sys.modules.get("onnxcert.model.runtime.passes")
    getattr(passes, function, int)()
