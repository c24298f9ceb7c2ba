"""What a fit (scales, mirror images, tiles, sizes, padding) makes of a function, in NumPy."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import numpy.typing as npt
import onnx
import zoo
from zoo import Conv3, upsampled

from onnxcert import OnnxSegmenter
from onnxcert.model.adapter.resize import Fit

Array = npt.NDArray[Any]

CPU = {"device": "cpu", "threads": 1}
CONV = Conv3.random(4, seed=58)
COARSE = Conv3.random(4, seed=54, stride=2)
MARGIN = 1e-4  # decisions closer than this may fall either way in float32


def opened(
    proto: onnx.ModelProto, folder: Path, fit: Fit | None = None, **options: Any
) -> OnnxSegmenter:
    path = graphs.save(proto, folder / "model.onnx")
    return OnnxSegmenter.open(path, fit=fit, **CPU, **{"value_range": (0.0, 1.0), **options})


def noisy(height: int, width: int, n: int = 3) -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(1).normal(0, 0.2, (n, 3, height, width))
    return (zoo.picture(height, width, seed=4) + noise).astype(np.float32)


def answer(form: str, scores: Array, shift: float = 0.0) -> Array:
    """What a network with these scores [B, C, h, w] gives in this form."""
    if form in ("sigmoid", "logit"):
        scores = scores[:, 1:] - scores[:, :1] + shift
    if form == "probabilities":
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = powers / powers.sum(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-scores)) if form in ("sigmoid", "multilabel") else scores


def probability(form: str, scores: Array) -> Array:
    if form == "logits":
        return answer("probabilities", scores)
    return 1 / (1 + np.exp(-scores)) if form == "logit" else scores


def starts(length: int, window: int, step: int) -> list[int]:
    """Where the windows of the field's sliding inference begin."""
    found = []
    for i in range(max(length - window + step - 1, 0) // step + 1):
        stop = min(i * step + window, length)
        found.append(max(stop - window, 0))
    return found


def one_view(
    function: Conv3, pixels: Array, seen: tuple[int, int], fit: Fit, form: str, shift: float
) -> Array:
    """The answer for one view that the network sees at the size `seen`, at the view's own size."""
    height, width = pixels.shape[2:]
    if fit.resizes:
        pixels = upsampled(pixels, *seen)
    below, right = -seen[0] % fit.pad_to, -seen[1] % fit.pad_to
    padded = np.pad(pixels, ((0, 0), (0, 0), (0, below), (0, right)), mode="edge")
    scores = answer(form, function.scores(padded), shift)
    if fit.pad_to > 1:
        scores = upsampled(scores, *padded.shape[2:])[:, :, : seen[0], : seen[1]]
    return upsampled(scores, height, width)


def expected(
    function: Conv3, batch: Array, fit: Fit, form: str = "logits", shift: float = 0.0
) -> Array:
    """Mean scores [B, C, H, W] over every view of `fit`."""
    height, width = batch.shape[2:]
    means = []
    for scale, mirrored in itertools.product(
        fit.scales or (fit.scale,), (False, True)[: 1 + fit.flip]
    ):
        pixels = batch[..., ::-1] if mirrored else batch
        whole = fit.size or (max(1, int(height * scale)), max(1, int(width * scale)))
        seen, window, step = list(whole), [height, width], [height, width]
        if fit.tile is not None:
            overlap = fit.overlap or tuple(side - side * 2 // 3 for side in fit.tile)
            for a, length in enumerate((height, width)):
                ratio = length / whole[a]
                window[a] = max(1, round(fit.tile[a] * ratio))
                step[a] = max(1, round((fit.tile[a] - overlap[a]) * ratio))
                seen[a] = fit.tile[a] if window[a] < length else min(whole[a], fit.tile[a])
                window[a] = min(window[a], length)
        total, count = 0.0, np.zeros((height, width))
        for top in starts(height, window[0], step[0]):
            for left in starts(width, window[1], step[1]):
                rows, columns = slice(top, top + window[0]), slice(left, left + window[1])
                view = pixels[:, :, rows, columns]
                scores = one_view(function, view, (seen[0], seen[1]), fit, form, shift)
                placed = np.zeros((*scores.shape[:2], height, width))
                placed[:, :, rows, columns] = scores
                total = total + placed
                count[rows, columns] += 1
        mean = total / count
        means.append(mean[..., ::-1] if mirrored else mean)
    if len(means) == 1:
        return means[0]
    return np.mean([probability(form, mean) for mean in means], axis=0)


def agree(labels: Array, scores: Array) -> None:
    """Labels are the argmax of `scores`, except where it is too close to call."""
    best = np.sort(scores, axis=1)
    agree_where(labels, scores.argmax(axis=1), best[:, -1] - best[:, -2])


def agree_where(labels: Array, wanted: Array, margin: Array) -> None:
    clear = margin > MARGIN
    assert labels.shape == wanted.shape
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(labels[clear], wanted[clear])
