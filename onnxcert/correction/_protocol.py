"""What a multiple-testing procedure must offer to back a certificate."""

from __future__ import annotations

from typing import ClassVar, Protocol

from onnxcert._typing import IntArray, LevelArray


class Correction(Protocol):
    """A procedure that controls the family-wise error under any dependence between components.

    Attributes:
        name: as on the command line.
        stepwise: whether later hypotheses are tested at a level above alpha / N once earlier
            ones are rejected. Under pooled selection a stepwise procedure pays for directional
            errors (`onnxcert.decision.Family.reserve`).
    """

    name: ClassVar[str]
    stepwise: ClassVar[bool]

    def threshold(
        self, p_values: LevelArray, histogram: IntArray, alpha: float, *, reserve: float = 0.0
    ) -> int:
        """Smallest number of hits that is rejected (certified); n + 1 where none is.

        Args:
            p_values: of 0, 1, ..., n hits, not increasing; [n + 1].
            histogram: components with 0, 1, ..., n hits; [n + 1].
            alpha: level of the family.
            reserve: part of alpha that levels above alpha / N must leave alone.
        """
        ...
