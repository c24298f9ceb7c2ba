"""Counted draws that are run again without their batch mates.

The binomial test needs votes that are independent given the input. A model may let batch mates
leak into each other for some inputs only, so no trial beforehand rules that out. Therefore some of
the draws that count are run again, and each must get the labels that it got in its batch.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, final

import numpy as np

from onnxcert.draws import Draws

ONE_DRAW: Final = "one draw a pass"
OFF: Final = "leak check off"
_DEVICE_SHARE: Final = 0.1  # of the passes of an input, that a check on a device may cost


class BatchLeak(Exception):
    """A counted draw got other labels in its batch than without its batch mates.

    It is no error of the user: whoever counts starts again with one draw a pass.
    """


@final
@dataclass(frozen=True)
class LeakCheck:
    """Which counted draws of one input are run again without their batch mates.

    Attributes:
        picked: their numbers, increasing.
        stages: (draws counted, share of the votes that a leak must change by then to certify
            anything wrong) at each look; see `onnxcert.decision.leaked_shares`.
        alpha: accepted probability of missing such a leak.
        one_draw: whether each draw has a pass of its own, so that nothing can leak.
        off: whether nobody wants a check.
    """

    picked: tuple[int, ...] = ()
    stages: tuple[tuple[int, float], ...] = ()
    alpha: float = 0.0
    one_draw: bool = False
    off: bool = False

    @classmethod
    def of(
        cls,
        draws: Draws,
        shares: Sequence[tuple[int, float]],
        alpha: float,
        *,
        extra: int = 0,
        asked: int | None = None,
        rows: int | None = None,
    ) -> Self:
        """Pick draws by the seed, so many that a leak is missed with probability alpha at most.

        A leak that changes a share q of the draws is missed by m draws with probability (1 - q)^m
        at most: they are picked without replacement and independently of the votes. At each look
        there are enough of them among the draws counted by then.

        Args:
            draws: of the input.
            shares: (draws tested, q) at each look.
            alpha: of the input.
            extra: draws before the tested ones, which only choose the candidate.
            asked: so many of all draws, in place of as many as it takes.
            rows: draws in one pass on a device, where a draw run again takes as long as a whole
                pass: at most a tenth of the passes are run again, and at least one.
        """
        words = hashlib.sha256(b"leak check" + bytes.fromhex(draws.digest)).digest()
        key = np.frombuffer(words, dtype=">u4").tolist()
        sequence = np.random.SeedSequence(draws.seed, spawn_key=key)
        rng = np.random.Generator(np.random.SFC64(sequence))
        picked: list[int] = []
        before = 0
        for tested, share in shares:
            wanted = needed(share, alpha)
            if asked is not None:
                wanted = math.ceil(asked * tested / shares[-1][0])
            if rows is not None:
                wanted = min(wanted, max(1, int(_DEVICE_SHARE * tested / rows)))
            fresh = min(max(0, wanted - len(picked)), tested - before)
            found = rng.choice(tested - before, size=fresh, replace=False) + before + extra
            picked += np.sort(found).tolist()
            before = tested
        stages = tuple((tested + extra, share) for tested, share in shares)
        return cls(tuple(picked), stages, alpha)

    @property
    def key(self) -> str:
        """What two counts must have in common to be one count."""
        if self.one_draw:
            return ONE_DRAW
        if self.off:
            return OFF
        numbers = ",".join(map(str, self.picked)).encode()
        return f"{len(self.picked)} draws {hashlib.sha256(numbers).hexdigest()[:16]}"

    def among(self, indices: range) -> tuple[int, ...]:
        """Those of the draws `indices`."""
        first, last = (bisect_left(self.picked, i) for i in (indices.start, indices.stop))
        return self.picked[first:last]

    def part(self, indices: range) -> Self:
        """What a worker that counts the draws `indices` needs of it."""
        return replace(self, picked=self.among(indices), stages=())

    def cost(self, total: int) -> str:
        """What it takes for an input of `total` draws, in a few words."""
        if self.one_draw:
            return "nothing can leak between draws"
        if self.off:
            return OFF
        return f"leak check: {len(self.picked)} of {total} draws are run again alone"

    def shown(self, counted: int) -> str:
        """What was checked of so many draws, for the statement.

        Where a leak may have been missed with more than alpha, it says with what probability.
        """
        if self.one_draw:
            return ONE_DRAW
        if self.off:
            return OFF
        many = len(self.among(range(counted)))
        said = f"leak check {many} draw{'' if many == 1 else 's'}"
        share = next((q for stop, q in reversed(self.stages) if stop <= counted), None)
        missed = 0.0 if share is None or many == counted else (1.0 - min(share, 1.0)) ** many
        if missed <= self.alpha * (1 + 1e-9):
            return said
        return f"{said} (which miss a leak with probability {_rounded_up(missed)})"


def needed(share: float, alpha: float) -> int:
    """Draws of which at least one shows a leak into such a share of the votes, but for alpha.

    >>> needed(0.2, 0.001)
    31
    """
    return 1 if share >= 1 else math.ceil(math.log(alpha) / math.log1p(-share))


def _rounded_up(chance: float) -> str:
    """Two digits behind the point, never less than it is."""
    return f"{math.ceil(100 * chance - 1e-9) / 100:g}"
