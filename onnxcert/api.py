"""Certification of one input with one model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Perturbation
from onnxcert.data.points import PointCloud
from onnxcert.errors import InputError, ParameterError
from onnxcert.model.bundled import find_model
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.batch_invariance import LEAK_WARNING, check_batch_invariance
from onnxcert.model.tuning.batch_size import tune_batch_size
from onnxcert.sampling import BatchLeak, Count, Segmenter, as_segmenter, check_output, sample
from onnxcert.sampling.draws import Draws, digest, random_seed
from onnxcert.sampling.tally import Selection, Tally, passes
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.settings import Settings
from onnxcert.statistics.stopping import Stopping


def certify(
    model: str | Path | Segmenter | Callable[[FloatArray], IntArray],
    x: FloatArray | PointCloud,
    perturbation: Perturbation,
    *,
    tau: float = 0.75,
    n: int = 100,
    n0: int = 10,
    alpha: float = 0.001,
    correction: str = "holm",
    selection: Selection = "pooled",
    rule: Rule | None = None,
    stopping: Stopping | None = None,
    seed: int | None = None,
    batch_size: int | None = None,
    leak_check: int | None = None,
    classes: int | None = None,
    unit: str | None = None,
    on_batch: Callable[[Count], None] | None = None,
    **options: Any,
) -> Certificate:
    """Certify the predictions of a model on one input.

    Args:
        model: an ONNX file, the name of a bundled model, or any callable from a float32 batch
            [B, ...] to integer labels [B, *grid].
        x: the input, without a batch axis. For an ONNX model of images, float32 [3, H, W], RGB in
            [0, 1]; a one-channel model gets it in grey. For an ONNX model of points, a `PointCloud`
            (it is normalised and resampled for the model), or [c, N] that is already so.
        perturbation: e.g. `Gaussian(0.25)`, sigma in the unit of `x`.
        tau: see `onnxcert.statistics.rule.Rule`.
        n: see `onnxcert.statistics.settings.Settings`.
        n0: see `onnxcert.statistics.settings.Settings`.
        alpha: see `onnxcert.statistics.rule.Rule`.
        correction: see `onnxcert.statistics.rule.Rule`.
        selection: see `onnxcert.statistics.settings.Settings`.
        rule: replaces tau, alpha and correction, and allows a budget, a radius map, several tau
            and interim looks.
        stopping: reasons to stop at a look of the rule's schedule.
        seed: of the draws; random if None.
        batch_size: draws per call of the model; the result does not depend on it. If the model is
            not batch-invariant, all draws are counted again one by one.
        leak_check: draws that are run again alone to check batch invariance; None for as many as
            needed, 0 for none. See `onnxcert.sampling.leak_check`.
        classes: number of classes; only needed for a callable without the attribute `classes`.
        unit: the unit of `x` as text, for the statement.
        on_batch: called after every batch.
        options: for an ONNX file, the options of `OnnxSegmenter.open`.

    Raises:
        OnnxcertError: the model, the input or a parameter cannot be used.
    """
    settings = Settings(
        perturbation=perturbation,
        n=n,
        n0=n0,
        selection=selection,
        rule=Rule(tau=tau, alpha=alpha, correction=correction) if rule is None else rule,
        stopping=stopping or Stopping(),
        leak_check=leak_check,
    )
    if rule is not None and (tau, alpha, correction) != (0.75, 0.001, "holm"):
        raise ParameterError("tau, alpha and correction conflict with rule; set them in the rule.")
    if isinstance(model, str | Path):
        segment: Segmenter = OnnxSegmenter.open(find_model(str(model)), **options)
    elif options:
        raise ParameterError(f"{next(iter(options))} applies to an ONNX file only.")
    else:
        segment = as_segmenter(model)
    kind = "of the callable's labels"
    if not isinstance(x, PointCloud):
        x = check_input(x)
    if isinstance(segment, OnnxSegmenter):
        x = segment.to_array(segment.entry.preprocess(x))
        unit, kind = unit or segment.unit, str(segment.component)
    elif isinstance(x, PointCloud):
        raise InputError("a callable takes an array, got a point cloud; pass its rows [c, N].")
    components = int(check_output(segment(x[None]), 1)[0].size)
    known = segment.classes
    classes = classes or known
    if known is not None and classes != known:
        raise ParameterError(f"classes must be the model's number of classes, got {classes}.")
    if classes is None:
        raise ParameterError("classes is needed; pass the number of classes of the callable.")
    backend = segment.backend
    seed = random_seed() if seed is None else seed
    draws = Draws(perturbation, seed, digest(x), backend.generator)
    law_error = draws.law_error(x.shape)
    settings.check_feasible(components, law_error)
    device = segment.on_device
    if batch_size is None:
        each = passes(n, n0, selection)
        leak_check_draws = settings.leak_check_draws(components, device=device)
        found = tune_batch_size(segment, x, draws, each=each, checked=leak_check_draws)
        batch_size = found.draws
    batch_size, warning = check_batch_invariance(segment, x, draws, batch_size=batch_size)

    def run_count(rows: int) -> Tally:
        """Count the votes with `rows` draws in one pass."""
        interim_analysis = settings.interim_analysis()
        count = settings.count(draws, classes, components, backend, law_error)
        count.check = settings.make_leak_check(draws, components, rows=rows, device=device)
        count.unit, count.kind = unit or "in the unit of the input", kind
        return sample(
            segment,
            x,
            count,
            batch_size=rows,
            on_batch=on_batch,
            on_look=None if interim_analysis is None else interim_analysis.analyse,
        )

    try:
        tally = run_count(batch_size)
    except BatchLeak:
        warning = LEAK_WARNING
        tally = run_count(1)
    certificate = settings.decide(tally)
    return replace(certificate, notes=(*certificate.notes, warning)) if warning else certificate


def check_input(x: FloatArray) -> FloatArray:
    """Return `x` as contiguous float32.

    Raises:
        InputError: `x` does not hold finite floating-point numbers.
    """
    x = np.asarray(x)
    if not np.issubdtype(x.dtype, np.floating):
        raise InputError(
            f"the input must hold floating-point numbers in the declared unit, got {x.dtype}; for "
            "8-bit pixels divide by 255."
        )
    if not np.isfinite(x).all():
        raise InputError("the input must hold finite numbers, got NaN or infinity.")
    return np.ascontiguousarray(x, dtype=np.float32)
