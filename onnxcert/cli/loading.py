"""Read and open models for a command; print a line if that takes long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from onnxcert.model.graph import ModelFile, read_model

_SECONDS: Final = 3.0  # after which a user wants to know what the program is doing


@contextmanager
def announced(text: str, *, after: float = _SECONDS) -> Iterator[threading.Timer]:
    """Print `text` to standard error once the block has taken `after` seconds."""
    timer = threading.Timer(after, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield timer
    finally:
        timer.cancel()


def loaded(path: Path) -> ModelFile:
    """Read the model at `path`; see `onnxcert.model.graph.read_model`."""
    with announced(f"reading {path} and its weights ..."):
        return read_model(path)
