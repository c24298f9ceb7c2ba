"""Wait for what must come, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

LIMIT = 600.0  # seconds; only what hangs takes so long


def wait_until(condition: Callable[[], object], process: Any = None) -> None:
    """Return once `condition` holds; fail if `process` ends before, or after `LIMIT`."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)
