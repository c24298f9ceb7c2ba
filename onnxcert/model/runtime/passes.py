"""ONNX Runtime with its telemetry off, passes that can be ended, and clear messages.

This is the only file that imports onnxruntime, so that its telemetry is off in every process that
runs a model: the command, its workers, Ray's actors, converters and benchmarks.
"""

from __future__ import annotations

import re
from typing import Any, Final, final

import onnxruntime

onnxruntime.disable_telemetry_events()

__all__ = [
    "EndableSession",
    "PassEnded",
    "allow_passes",
    "end_passes",
    "explain_refusal",
    "first_line",
    "onnxruntime",
]

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


# Messages of ONNX Runtime about unsupported models, which hide or omit the important numbers:
# (pattern, meaning, remedy).
_KNOWN: Final = (
    (
        r"model IR version: (\d+), max supported IR version: (\d+)",
        "the model has IR version {0}, and ONNX Runtime {version} reads up to {1}",
        "save it with an older onnx (ir_version={1}), or install a newer onnxruntime",
    ),
    (
        r"Opset (\d+) is under development(?s:.*)support for domain (\S+) is till opset (\d+)",
        "the model has opset {0} of {1}, and ONNX Runtime {version} supports up to {2}",
        "export it with opset {2}, or install a newer onnxruntime",
    ),
    (
        r"No Op registered for (\S+) with domain_version of (\d+)",
        "the operator {0} is not in opset {1}, which the model uses, of ONNX Runtime {version}",
        "export it with the opset that has this operator, or with standard operators",
    ),
    (
        r"Op registered for (\S+) is deprecated in domain_version of (\d+)",
        "the operator {0} is no longer in opset {1}, which the model uses",
        "export it again with its newest exporter",
    ),
    (
        r"Could not find an implementation for (\S+?)\(\d+\) node with name '(.*?)'",
        "ONNX Runtime {version} has no operator {0} for the types of the node {1!r}",
        "export the model in float32",
    ),
    (
        r"(?i)failed to serialize|maximum protobuf size",
        "the model is larger than 2 GiB, the most that one protobuf message holds",
        "export it with its weights as external data",
    ),
)


def explain_refusal(error: Exception) -> str:
    """Return why ONNX Runtime cannot load a model, and the remedy if it is known."""
    for pattern, meaning, remedy in _KNOWN:
        if found := re.search(pattern, str(error)):
            groups = [group[:100] for group in found.groups()]
            version = onnxruntime.__version__
            return f"{meaning.format(*groups, version=version)}; {remedy.format(*groups)}."
    return f"ONNX Runtime cannot load the model ({first_line(error)})."


def first_line(error: Exception) -> str:
    """Return the first line of a runtime's message, shortened, without the final full stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", lines[0])
    # The position in the runtime's source code does not help a user.
    text = re.sub(r"^\S+\.(?:cc|h|cpp):\d+ .*?\) (?=\S)", "", text)
    return text.rstrip(". ")[:300]
