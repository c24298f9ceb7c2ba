"""Figures, which may fail without harm: what they show is kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final


@final
class BestEffort:
    """Draws what can be drawn, and notes what cannot.

    A certificate costs minutes or hours of a model, its figure a second: an error of a disk, of
    memory or of a drawing library in the second must not lose the first.

    Attributes:
        missing: figure -> why it could not be drawn.
    """

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    @contextmanager
    def drawing(self, figure: str) -> Iterator[None]:
        """Let the block fail to draw `figure`, for whatever reason."""
        try:
            yield
        except Exception as error:
            self.note(figure, error)

    def note(self, figure: str, error: Exception) -> None:
        """Note why `figure` is missing."""
        self.missing[figure] = str(error).strip().rstrip(".") or type(error).__name__

    def sentence(self) -> str:
        """Say what is missing, and how to get it; empty if nothing is."""
        if not self.missing:
            return ""
        figure, reason = next(iter(self.missing.items()))
        few = len(self.missing) == 1
        named = figure if few else f"{len(self.missing)} figures, the first of them {figure},"
        return (
            f"{named} could not be drawn ({reason}); no certificate is lost by that, and the same "
            f"command draws {'it' if few else 'them'}."
        )
