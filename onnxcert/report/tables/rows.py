"""Rows of the table of a run, and the scores in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from onnxcert.metrics.part_iou import CategoryScores, PartScores
from onnxcert.metrics.scores import Scores

# Row name in the store -> row name in the table.
ROWS: Final = {
    "nonrobust": "non-robust",
    "clean": "clean",
    "noisy": "base (one noisy pass)",
    "certified": "certified",
}
# Rows without a certificate -> short names: each row becomes a column of the category table.
PLAIN_ROWS: Final = {"nonrobust": "non-robust", "clean": "clean", "noisy": "base"}


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        radius: certified radius, or None if the row has none.
        scores: None without ground truth.
        abstain: share of all components, with or without ground truth.
        parts: IoU by shape, if categories and ground truth are known.
    """

    radius: float | None
    scores: Scores | None
    abstain: float
    parts: PartScores | None = None

    def of_category(self, category: str) -> CategoryScores | None:
        """Return the scores of one category of shapes; None if it has none."""
        return self.parts.categories.get(category) if self.parts else None


def pick_scores(scores: object | None, *names: str) -> dict[str, float | None]:
    """Return the named scores; None for each without a ground truth (`scores` is None)."""
    return {name: getattr(scores, name, None) for name in names}
