"""Many inputs: jobs, checkpoints, progress."""

import signal
from typing import Final

# Signals that stop a command, where the system has them.
STOPS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
