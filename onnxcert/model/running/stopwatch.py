"""Total running time of a model with concurrent passes."""

from __future__ import annotations

import threading
import time
from types import TracebackType


class Stopwatch:
    """Timer that runs while at least one pass is in its `with` block.

    Attributes:
        seconds: total time of finished intervals.
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
