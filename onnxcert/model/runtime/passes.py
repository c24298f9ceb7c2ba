"""ONNX Runtime with its telemetry off, and with passes that can be ended.

This is the only file that imports onnxruntime, so that its telemetry is off in every process that
runs a model: the command, its workers, Ray's actors, converters and benchmarks.
"""

from __future__ import annotations

from typing import Any, Final, final

import onnxruntime

onnxruntime.disable_telemetry_events()

__all__ = ["EndableSession", "PassEnded", "allow_passes", "end_passes", "onnxruntime"]

# ONNX Runtime checks `terminate` between two nodes and at every iteration of a Loop.
_OPTIONS: Final = onnxruntime.RunOptions()


class PassEnded(KeyboardInterrupt):
    """A pass was ended by `end_passes`; it has no output."""


def end_passes() -> None:
    """End all running passes of this process, from any thread, and every later one."""
    _OPTIONS.terminate = True


def allow_passes() -> None:
    """Let passes run again."""
    _OPTIONS.terminate = False


@final
class EndableSession(onnxruntime.InferenceSession):  # type: ignore[misc]
    """A session whose passes raise `PassEnded` once they are ended."""

    def run(self, output_names: Any, input_feed: Any, run_options: Any = None) -> Any:
        """See `onnxruntime.InferenceSession.run`."""
        try:
            return super().run(output_names, input_feed, run_options or _OPTIONS)
        except Exception:
            _raise_if_ended()
            raise

    def run_with_iobinding(self, iobinding: Any, run_options: Any = None) -> None:
        """See `onnxruntime.InferenceSession.run_with_iobinding`."""
        try:
            super().run_with_iobinding(iobinding, run_options or _OPTIONS)
        except Exception:
            _raise_if_ended()
            raise


def _raise_if_ended() -> None:
    """Raise PassEnded if passes are to end."""
    if _OPTIONS.terminate:
        raise PassEnded from None
