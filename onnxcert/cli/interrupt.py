"""Stop where it costs nothing: after the present pass, with the count kept."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from onnxcert.run import Run


@contextmanager
def stopping_on_signal(run: Run) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM stop `run` after the present pass, the second one at once."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        if run.stopping:
            raise KeyboardInterrupt
        run.stopping = True

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
