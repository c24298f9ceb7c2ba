"""Keeping a C library from talking to the person at the keyboard."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what the C libraries of this process write to standard error inside the block.

    libtiff describes damage there, line by line, before its caller can say it in one sentence.
    For as short as possible: what other threads write meanwhile is lost as well.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(_STDERR)
    except (OSError, ValueError, AttributeError):  # a process without standard error
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
