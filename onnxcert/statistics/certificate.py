"""The certificate: the decision on one tally."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from onnxcert._typing import BoolArray, IntArray, LevelArray
from onnxcert.sampling.tally import Tally
from onnxcert.statistics.correction.base import Controls
from onnxcert.statistics.guarantee import guarantee, round_down
from onnxcert.statistics.guarantee_summary import summarise_guarantee
from onnxcert.statistics.rule import Rule

ABSTAIN: Final = -1


@dataclass(frozen=True, eq=False, repr=False)
class Certificate:
    """The decision on one tally; a pure function of the tally and the rule.

    Attributes:
        tally: the votes.
        rule: the decision rule.
        controls: what the correction controls: `FWER`, `k-FWER` or `FDR`.
        levels: all tau at which components may be certified, ascending; float64 [L].
        level: 0 where a component abstains, j where it is certified at levels[j - 1] and every
            smaller tau; unsigned integers [*grid].
        thresholds: for each tau of the rule the smallest hits that certify a component, under
            interim looks those at the last look taken; one more than the draws if none do.
        own_radius: replaces the radius that follows from tau (IndivClass).
        notes: further information for the reader, e.g. why everything abstains.
    """

    tally: Tally = field(repr=False)
    rule: Rule
    controls: Controls
    levels: LevelArray = field(repr=False)
    level: IntArray = field(repr=False)
    thresholds: tuple[int, ...]
    own_radius: float | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        size = "" if self.rule.radius_map else f", radius {round_down(self.radius)}"
        return (
            f"<certificate: {100 * (1 - self.abstain_share):.1f} % of {self.tally.components:,} "
            f"components certified{size}, {self.tally.n} draws>"
        )

    @property
    def tau(self) -> float:
        return self.rule.tau

    @property
    def threshold(self) -> int:
        """Smallest hits that certify a component at the rule's first tau."""
        return self.thresholds[0]

    @cached_property
    def labels(self) -> IntArray:
        """Classes certified at the rule's first tau, `ABSTAIN` elsewhere; int32 [*grid]."""
        return self.labels_at(self.rule.tau)

    def labels_at(self, tau: float) -> IntArray:
        """Return the classes certified at tau or above, `ABSTAIN` elsewhere; int32 [*grid]."""
        return np.where(
            self.certified_at(tau), self.tally.candidate.astype(np.int32), np.int32(ABSTAIN)
        )

    def certified_at(self, tau: float) -> BoolArray:
        """Return whether each component is certified at tau or above; bool [*grid]."""
        return np.asarray(self.level > np.searchsorted(self.levels, tau, side="left"))

    @property
    def radius(self) -> float:
        """Size of the attack ruled out for `labels`, in the tally's unit."""
        return self.radius_at(self.rule.tau)

    def radius_at(self, tau: float) -> float:
        """Return the size of the attack ruled out for `labels_at(tau)`."""
        return self.tally.perturbation.radius(tau) if self.own_radius is None else self.own_radius

    @property
    def level_radii(self) -> LevelArray:
        """Radius of each of `levels`; float64 [L]."""
        return np.array([self.radius_at(float(tau)) for tau in self.levels], dtype=np.float64)

    @property
    def radii(self) -> LevelArray:
        """Largest radius each component is certified for, NaN where it abstains; [*grid]."""
        table = np.concatenate([[np.nan], self.level_radii])
        return np.asarray(table[self.level])

    @property
    def abstained(self) -> int:
        return int(np.count_nonzero(self.labels == ABSTAIN))

    @property
    def abstain_share(self) -> float:
        return self.abstained / self.tally.components

    @property
    def sentence(self) -> str:
        """The guarantee in one line; `statement` has the exact wording."""
        return summarise_guarantee(
            rule=self.rule,
            controls=self.controls,
            perturbation=self.tally.perturbation,
            unit=self.tally.unit,
            components=self.tally.components,
            kind=self.tally.kind,
            radius=self.own_radius,
            radii=self.radius_range,
        )

    @property
    def radius_range(self) -> tuple[float, float] | None:
        """Smallest and largest radius that a component is certified for; None if all abstain."""
        certified = self.level[self.level > 0]
        if certified.size == 0:
            return None
        radii = self.level_radii
        return float(radii[certified.min() - 1]), float(radii[certified.max() - 1])

    def statement(self, *, before: bool = False) -> str:
        """Return the guarantee in one sentence, with every number it depends on.

        Args:
            before: use the wording of older records.
        """
        return guarantee(
            rule=self.rule,
            controls=self.controls,
            perturbation=self.tally.perturbation,
            unit=self.tally.unit,
            n=self.tally.n,
            n0=self.tally.n0,
            selection=self.tally.selection,
            components=self.tally.components,
            kind=self.tally.kind,
            radius=self.own_radius,
            law_error=self.tally.law_error,
            before=before,
            leak_check=self.tally.leak_check,
        )
