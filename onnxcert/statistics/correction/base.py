"""The interface of a multiple-testing procedure that may back a certificate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from onnxcert._typing import IntArray, LevelArray

Controls = Literal["FWER", "k-FWER", "FDR"]


@dataclass(frozen=True)
class Correction(ABC):
    """A procedure that controls an error rate under any dependence between components.

    N is the number of components, all tested together. k = b + 1, where b wrong components are
    tolerated; k = 1 for procedures that tolerate none.

    Attributes:
        name: as on the command line.
        controls: `FWER`: P(any wrong) <= alpha. `k-FWER`: P(k or more wrong) <= alpha. `FDR`:
            E(share of wrong components among the certified) <= alpha.
        dependence: the dependence between components under which it is valid. Only `any` may back
            a certificate.
        stepwise: whether the level of a component depends on how many others are certified. Under
            pooled selection a stepwise procedure needs a reserve for directional errors
            (`onnxcert.statistics.Family.reserve`).
    """

    name: str
    controls: Controls
    dependence: ClassVar[str]
    stepwise: ClassVar[bool]

    @abstractmethod
    def entry_level(self, components: int, alpha: float, k: int) -> float:
        """Return the largest p-value that certifies all components if every component has it."""

    def largest_level(self, components: int, alpha: float, k: int) -> float:
        """Return the largest p-value that can be certified for any p-values of the others."""
        return self.entry_level(components, alpha, k)

    @abstractmethod
    def threshold(
        self,
        p_values: LevelArray,
        histogram: IntArray,
        alpha: float,
        *,
        k: int = 1,
        reserve: float = 0.0,
    ) -> int:
        """Return the smallest number of hits that is rejected (certified); n + 1 if none is.

        Args:
            p_values: of 0, 1, ..., n hits, not increasing; [n + 1].
            histogram: components with 0, 1, ..., n hits; [n + 1].
            alpha: level of the family.
            k: smallest number of wrong components that is not tolerated.
            reserve: part of alpha that levels above the single-step level must not use.
        """


def first_rejected(p_values: LevelArray, level: float | LevelArray) -> int:
    """Return the smallest number of hits whose p-value is at most `level`; n + 1 if none is.

    >>> first_rejected(np.array([1.0, 0.3, 0.01]), 0.3)
    1
    """
    rejected = p_values <= level
    return int(np.argmax(rejected)) if rejected.any() else len(p_values)
