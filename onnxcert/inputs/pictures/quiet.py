"""Suppress messages that C libraries write to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what the C libraries of this process write to standard error inside the block.

    libtiff prints details of damage there, before the caller can report it in one sentence. Keep
    the block short: output of other threads is lost as well.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(_STDERR)
    except (OSError, ValueError, AttributeError):  # no standard error
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
