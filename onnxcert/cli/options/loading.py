"""Reading of models with a message if it takes long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from onnxcert.model.graph.file import ModelFile, read_model

_SECONDS: Final = 3.0  # after this time, tell the user what the program is doing


@contextmanager
def print_if_slow(text: str, *, after: float = _SECONDS) -> Iterator[threading.Timer]:
    """Print `text` to standard error if the block takes more than `after` seconds."""
    timer = threading.Timer(after, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield timer
    finally:
        timer.cancel()


def load_model(path: Path) -> ModelFile:
    """Read the model at `path`; see `onnxcert.model.graph.file.read_model`."""
    with print_if_slow(f"reading {path} and its weights ..."):
        return read_model(path)
