"""Best-effort drawing of figures: their data is kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final


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
