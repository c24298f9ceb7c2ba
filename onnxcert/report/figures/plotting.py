"""Best-effort drawing of figures: their data is kept elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final, final

_FONTS: Final = "matplotlib.font_manager"


def load_matplotlib(scratch: Path, *, fonts: bool = False) -> None:
    """Import matplotlib, and with `fonts` its list of fonts.

    If the home folder is not writable, matplotlib uses a temporary folder and removes it at the
    end. If there is no temporary folder either, its files are in `scratch` during the import.

    Raises:
        OSError: `scratch` is not writable either.
    """
    wanted = ("matplotlib", _FONTS) if fonts else ("matplotlib",)
    if all(name in sys.modules for name in wanted):
        return
    with ExitStack() as stack:
        stack.enter_context(_suppress_warnings())
        try:
            tempfile.gettempdir()
        except FileNotFoundError:
            folder = tempfile.TemporaryDirectory(dir=scratch, prefix=".matplotlib-")
            stack.enter_context(_use_config_folder(stack.enter_context(folder)))
            wanted = ("matplotlib", _FONTS)  # all that needs the folder, which is removed below
        for name in wanted:
            import_module(name)


@contextmanager
def _use_config_folder(folder: str) -> Iterator[None]:
    """Let matplotlib keep its own files in `folder`."""
    before = os.environ.get("MPLCONFIGDIR")
    os.environ["MPLCONFIGDIR"] = folder
    try:
        yield
    finally:
        del os.environ["MPLCONFIGDIR"]
        if before is not None:
            os.environ["MPLCONFIGDIR"] = before


@contextmanager
def _suppress_warnings() -> Iterator[None]:
    """Suppress matplotlib's warnings about folders that are not writable."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@final
class BestEffort:
    """Record of the figures that could not be drawn, so that the run continues.

    A certificate costs minutes or hours, its figure a second: an error of the disk, of memory or of
    the drawing library must not lose the certificate.

    Attributes:
        missing: figure -> why it could not be drawn.
    """

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    @contextmanager
    def drawing(self, figure: str) -> Iterator[None]:
        """Catch and note any error of the block, which draws `figure`."""
        try:
            yield
        except Exception as error:
            self.note(figure, error)

    def note(self, figure: str, error: Exception) -> None:
        """Note why `figure` is missing."""
        self.missing[figure] = str(error).strip().rstrip(".") or type(error).__name__

    def sentence(self) -> str:
        """Return which figures are missing and how to get them; empty if none is."""
        if not self.missing:
            return ""
        figure, reason = next(iter(self.missing.items()))
        few = len(self.missing) == 1
        named = figure if few else f"{len(self.missing)} figures, the first of them {figure},"
        return (
            f"{named} could not be drawn ({reason}); no certificate is lost, and the same command "
            f"draws {'it' if few else 'them'} later."
        )
