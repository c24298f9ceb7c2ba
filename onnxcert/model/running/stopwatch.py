"""How long a model has been running, however many of its passes run at once."""

from __future__ import annotations

import threading
import time
from types import TracebackType


class Stopwatch:
    """Goes on while at least one pass is inside its `with` block.

    Attributes:
        seconds: so far, of passes that are over.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._running = 0
        self._since = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._running:
                self._since = time.perf_counter()
            self._running += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self.seconds += time.perf_counter() - self._since
