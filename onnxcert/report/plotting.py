"""matplotlib, imported so that it works where only the result folder can be written."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

_FONTS: Final = "matplotlib.font_manager"


def load_matplotlib(scratch: Path, *, fonts: bool = False) -> None:
    """Import matplotlib, and with `fonts` its list of fonts.

    Where the home folder cannot be written matplotlib takes a temporary folder, which it removes at
    the end. Where there is none either, its files lie below `scratch` until it is imported.

    Raises:
        OSError: `scratch` cannot be written either.
    """
    wanted = ("matplotlib", _FONTS) if fonts else ("matplotlib",)
    if all(name in sys.modules for name in wanted):
        return
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        try:
            tempfile.gettempdir()
        except FileNotFoundError:
            folder = tempfile.TemporaryDirectory(dir=scratch, prefix=".matplotlib-")
            stack.enter_context(_configured_in(stack.enter_context(folder)))
            wanted = ("matplotlib", _FONTS)  # all that needs the folder, as it goes at once
        for name in wanted:
            import_module(name)


@contextmanager
def _configured_in(folder: str) -> Iterator[None]:
    """Let matplotlib's own files lie in `folder`."""
    before = os.environ.get("MPLCONFIGDIR")
    os.environ["MPLCONFIGDIR"] = folder
    try:
        yield
    finally:
        del os.environ["MPLCONFIGDIR"]
        if before is not None:
            os.environ["MPLCONFIGDIR"] = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the screen what matplotlib says of folders that nobody needs."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
