"""How many noisy passes a second a model makes here, measured."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray, Perturbation
from onnxcert.certification import fresh_seed
from onnxcert.draws import Draws, digest
from onnxcert.model.running.batching import batch_size_for
from onnxcert.model.running.probe import probed
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.sampling import Count, noisy_answers

_TIMED: Final = 9
_LONG_ENOUGH: Final = 20.0
_FEWEST: Final = 3
_PLANNED: Final = 1000  # draws, in choosing a batch size as a run of many would


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        draws_per_second: of noise, model and count together.
        components: N of the input that it was measured on.
        batch_size: draws per pass.
        warning: why it is slower than it could be, or nothing.
    """

    draws_per_second: float
    components: int
    batch_size: int
    warning: str = ""


def measured(
    segmenter: OnnxSegmenter,
    x: FloatArray,
    perturbation: Perturbation,
    *,
    batch_size: int | None = None,
) -> Speed:
    """Time a few noisy passes as a run makes them: noise, model, count.

    The first batch, with which the candidate is chosen, warms up and is left out; of the others
    the median counts.

    Args:
        x: one declared input, float32.
        batch_size: draws per pass; chosen as a run chooses it if not given.
    """
    segmenter(x[None])  # settles the number of classes and the size of the answer
    backend = segmenter.backend
    draws = Draws(perturbation, fresh_seed(), digest(x), backend.generator)
    perturbation.check(x)
    if batch_size is None:
        batch_size = batch_size_for(segmenter, x, draws, each=_PLANNED).draws
    batch_size, warning = probed(segmenter, x, draws, batch_size=batch_size)
    rehearsal = draws.rehearsal()  # none of these draws is ever counted for a certificate
    at_once = segmenter.at_once
    total = (_TIMED + 2 * at_once - 1) * batch_size
    count = Count(rehearsal, total, batch_size, "pooled", segmenter.classes, backend=backend)
    components, stamps = 0, []
    for answer in noisy_answers(segmenter, x, rehearsal, range(total), batch_size, backend):
        count.add(answer)
        components = math.prod(answer.shape[1:])
        stamps.append(time.perf_counter())
        if stamps[-1] - stamps[0] > _LONG_ENOUGH and len(stamps) > _FEWEST * at_once:
            break
    # Passes that run at once end at once: only as many together tell how long one takes.
    taken = np.subtract(stamps[at_once:], stamps[:-at_once])
    seconds = float(np.median(taken)) / at_once
    return Speed(batch_size / seconds, components, batch_size, warning)
