"""Leak check: some counted draws are run again alone.

The binomial test needs votes that are independent given the input. A model may be batch-dependent
for some inputs only, so no check before the run rules that out. Therefore some counted draws are
run again alone, and each must get the labels that it got in its batch.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, final

import numpy as np

from onnxcert.sampling.draws import Draws

ONE_DRAW: Final = "one draw a pass"
OFF: Final = "leak check off"
_DEVICE_SHARE: Final = 0.1  # largest share of the passes that a check on a device may add


class BatchLeak(Exception):
    """A counted draw has other labels in its batch than alone.

    This is not a user error: the caller restarts the count with one draw per pass.
    """


@final
@dataclass(frozen=True)
class LeakCheck:
    """Selection of the counted draws of one input that are run again alone.

    Attributes:
        picked: numbers of these draws, increasing.
        stages: at each look: (number of counted draws, least share of the votes that a leak must
            change by then to make a certificate wrong); see `onnxcert.statistics.leak_bound`.
        alpha: accepted probability of missing such a leak.
        one_draw: whether every pass has one draw, so that nothing can leak.
        off: whether the check is switched off.
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
        """Select draws by the seed, so many that a leak is missed with probability at most alpha.

        The draws are selected without replacement and independently of the votes, so m draws miss a
        leak that changes a share q of all draws with probability at most (1 - q)^m. At each look
        enough of them are counted.

        Args:
            draws: draws of the input.
            shares: (number of tested draws, q) at each look.
            alpha: error budget of the input.
            extra: number of earlier draws that only select the candidate.
            asked: requested number of draws, instead of as many as needed.
            rows: batch size on a device, where a draw run again costs a whole pass: at most a tenth
                of the passes is run again, and at least one.
        """
        words = hashlib.sha256(b"leak check" + bytes.fromhex(draws.digest)).digest()
        key = np.frombuffer(words, dtype=">u4").tolist()
        sequence = np.random.SeedSequence(draws.seed, spawn_key=key)
        rng = np.random.Generator(np.random.SFC64(sequence))
        picked: list[int] = []
        before = 0
        for tested, share in shares:
            wanted = draws_needed(share, alpha)
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
        """Identity of the check; counts with different keys must not be combined."""
        if self.one_draw:
            return ONE_DRAW
        if self.off:
            return OFF
        numbers = ",".join(map(str, self.picked)).encode()
        return f"{len(self.picked)} draws {hashlib.sha256(numbers).hexdigest()[:16]}"

    def among(self, indices: range) -> tuple[int, ...]:
        """Return the selected draws among `indices`."""
        first, last = (bisect_left(self.picked, i) for i in (indices.start, indices.stop))
        return self.picked[first:last]

    def part(self, indices: range) -> Self:
        """Return the part of the check that a worker needs for the draws `indices`."""
        return replace(self, picked=self.among(indices), stages=())

    def cost(self, total: int) -> str:
        """Return the cost for an input of `total` draws, as text."""
        if self.one_draw:
            return "nothing can leak between draws"
        if self.off:
            return OFF
        return f"leak check: {len(self.picked)} of {total} draws are run again alone"

    def describe(self, counted: int) -> str:
        """Return what was checked of `counted` draws, for the statement.

        If a leak may be missed with a larger probability than alpha, the text gives it.
        """
        if self.one_draw:
            return ONE_DRAW
        if self.off:
            return OFF
        many = len(self.among(range(counted)))
        text = f"leak check {many} draw{'' if many == 1 else 's'}"
        share = next((q for stop, q in reversed(self.stages) if stop <= counted), None)
        missed = 0.0 if share is None or many == counted else (1.0 - min(share, 1.0)) ** many
        if missed <= self.alpha * (1 + 1e-9):
            return text
        return f"{text} (which miss a leak with probability {_rounded_up(missed)})"


def draws_needed(share: float, alpha: float) -> int:
    """Return how many draws show a leak into this share of the votes with probability 1 - alpha.

    >>> draws_needed(0.2, 0.001)
    31
    """
    return 1 if share >= 1 else math.ceil(math.log(alpha) / math.log1p(-share))


def _rounded_up(chance: float) -> str:
    """Return a probability with two decimals, rounded up."""
    return f"{math.ceil(100 * chance - 1e-9) / 100:g}"
