"""What a multiple-testing procedure must offer to back a certificate."""

from __future__ import annotations

from typing import ClassVar, Protocol

from onnxcert._typing import IntArray, LevelArray
from onnxcert.statement import Controls


class Correction(Protocol):
    """A procedure that controls an error rate under any dependence between components.

    N is the number of components, all tested together, and k = b + 1 where b wrong ones are
    tolerated; procedures that tolerate none are only asked for k = 1.

    Attributes:
        name: as on the command line.
        controls: `FWER`: P(any wrong) <= alpha. `k-FWER`: P(k or more wrong) <= alpha. `FDR`:
            E(share of wrong ones among those certified) <= alpha.
        dependence: under which dependence between components it does so. Only `any` may back a
            certificate.
        stepwise: whether components are tested at levels that depend on how many others are
            certified. Under pooled selection a stepwise procedure pays for directional errors
            (`onnxcert.decision.Family.reserve`).
    """

    name: ClassVar[str]
    controls: ClassVar[Controls]
    dependence: ClassVar[str]
    stepwise: ClassVar[bool]

    def entry_level(self, components: int, alpha: float, k: int) -> float:
        """The p-value at which a family is certified where every component has it."""
        ...

    def largest_level(self, components: int, alpha: float, k: int) -> float:
        """The largest p-value that may ever be certified, whatever the others are."""
        ...

    def threshold(
        self,
        p_values: LevelArray,
        histogram: IntArray,
        alpha: float,
        *,
        k: int = 1,
        reserve: float = 0.0,
    ) -> int:
        """Smallest number of hits that is rejected (certified); n + 1 where none is.

        Args:
            p_values: of 0, 1, ..., n hits, not increasing; [n + 1].
            histogram: components with 0, 1, ..., n hits; [n + 1].
            alpha: level of the family.
            k: number of wrong components that is one too many.
            reserve: part of alpha that levels above the single-step one must leave alone.
        """
        ...
