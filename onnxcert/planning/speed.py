"""Measurement of a model's speed on this machine, in noisy passes per second."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray, Perturbation
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.batch_invariance import check_batch_invariance
from onnxcert.model.tuning.batch_size import tune_batch_size
from onnxcert.sampling import Count, run_draws
from onnxcert.sampling.draws import Draws, digest, random_seed

_TIMED: Final = 9
_LONG_ENOUGH: Final = 20.0
_FEWEST: Final = 3
_PLANNED: Final = 1000  # choose the batch size for a run of this many draws


@dataclass(frozen=True)
class Speed:
    """The measured speed.

    Attributes:
        draws_per_second: of noise, model and count together.
        components: N of the measured input.
        batch_size: draws per pass.
        warning: why it is slower than possible; empty if it is not.
    """

    draws_per_second: float
    components: int
    batch_size: int
    warning: str = ""


def measure_speed(
    segmenter: OnnxSegmenter,
    x: FloatArray,
    perturbation: Perturbation,
    *,
    batch_size: int | None = None,
) -> Speed:
    """Time some noisy passes (noise, model and count) as in a run.

    The result is the median, without the first batch (warm-up, and it chooses the candidate).

    Args:
        segmenter: the model.
        x: one input, as the model takes it, float32.
        perturbation: the noise.
        batch_size: draws per pass; None to choose it as in a run.
    """
    segmenter(x[None])  # the first pass determines the number of classes and the output size
    backend = segmenter.backend
    draws = Draws(perturbation, random_seed(), digest(x), backend.generator)
    if batch_size is None:
        batch_size = tune_batch_size(segmenter, x, draws, each=_PLANNED).draws
    batch_size, warning = check_batch_invariance(segmenter, x, draws, batch_size=batch_size)
    warm_up_draws = draws.warm_up_draws()  # none of these draws is ever counted for a certificate
    at_once = segmenter.at_once
    total = (_TIMED + 2 * at_once - 1) * batch_size
    count = Count(warm_up_draws, total, batch_size, "pooled", segmenter.classes, backend=backend)
    components, stamps = 0, []
    for answer in run_draws(segmenter, x, warm_up_draws, range(total), batch_size, backend):
        count.add(answer)
        components = math.prod(answer.shape[1:])
        stamps.append(time.perf_counter())
        if stamps[-1] - stamps[0] > _LONG_ENOUGH and len(stamps) > _FEWEST * at_once:
            break
    # Concurrent passes end together, so only the time of all of them gives the time of one.
    taken = np.subtract(stamps[at_once:], stamps[:-at_once])
    seconds = float(np.median(taken)) / at_once
    return Speed(batch_size / seconds, components, batch_size, warning)
