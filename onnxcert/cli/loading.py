"""Models read and opened for a command, which says so where it takes long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from onnxcert.model.graph import ModelFile, read_model

_SECONDS: Final = 3.0  # without a word, before a person wonders


@contextmanager
def announced(text: str, *, after: float = _SECONDS) -> Iterator[threading.Timer]:
    """Print `text` to standard error once what is done within has taken so many seconds."""
    timer = threading.Timer(after, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield timer
    finally:
        timer.cancel()


def loaded(path: Path) -> ModelFile:
    """The model at `path`; see `onnxcert.model.graph.read_model`."""
    with announced(f"reading {path} and its weights ..."):
        return read_model(path)
