"""What a model sees and answers: one look tells a wrong channel order or range."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report.pictures import draw_view


def draw_answer(path: Path, segmenter: OnnxSegmenter, picture: FloatArray) -> None:
    """Write one PNG: the picture, each channel as the network gets it, and its answer.

    Args:
        path: the PNG, replaced in one step.
        segmenter: the model.
        picture: float32 [3, H, W], RGB in [0, 1].
    """
    contract = segmenter.contract
    pixels = segmenter.declared(picture)
    labels = segmenter(pixels[None])[0]
    many = len(labels) if labels.ndim == 3 else segmenter.classes
    draw_view(
        path,
        picture=picture,
        channels=[
            (f"Channel {i + 1}: {plane.min():.3g} to {plane.max():.3g}", _spread(plane))
            for i, plane in enumerate(segmenter.seen(pixels))
        ],
        answer=_last_yes(labels) if labels.ndim == 3 else labels,
        class_names=contract.class_names or [f"class {c}" for c in range(many)],
        title=segmenter.file.name,
        caption=f"Channels as the network gets them: {contract.channel_order}, {contract.layout}, "
        f"value range {contract.value_range}, mean {contract.mean or 'none'}, std "
        f"{contract.std or 'none'}. Where the picture is red, the first channel of RGB is bright; "
        "if the answer makes no sense, the channel order or the range may be another.",
    )


def _last_yes(labels: IntArray) -> IntArray:
    """Index map [h, w] of a multi-label answer [L, h, w]: the last label that says yes, or -1."""
    yes = labels[::-1] == 1
    last = len(labels) - 1 - np.argmax(yes, axis=0)
    return np.where(yes.any(axis=0), last, -1)


def _spread(plane: FloatArray) -> FloatArray:
    """One channel as grey values from 0 at its lowest to 1 at its highest."""
    low, high = float(plane.min()), float(plane.max())
    return (plane - low) / (high - low) if high > low else np.zeros_like(plane)
