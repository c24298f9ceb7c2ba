"""What a model sees and answers: one look tells a wrong channel order or range."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report import palette
from onnxcert.report.panels import ByteArray, nearest, paint, panel_size, photograph_panel
from onnxcert.report.pictures import Panel, legend_entries, write_sheet


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
    answer = _last_yes(labels) if labels.ndim == 3 else labels
    names = contract.class_names or [f"class {c}" for c in range(many)]
    colours = palette.colours(names)
    size = panel_size(picture.shape[1], picture.shape[2])
    panels = [
        Panel("Picture", photograph_panel(picture, size)),
        *(
            Panel(f"Channel {i + 1}: {plane.min():.3g} to {plane.max():.3g}", _grey(plane, size))
            for i, plane in enumerate(segmenter.seen(pixels))
        ),
        Panel("Answer", paint(nearest(answer, size), colours)),
    ]
    write_sheet(
        path,
        panels,
        legend_entries([(answer, None)], names, colours),
        title=segmenter.file.name,
        caption=f"Channels as the network gets them: {contract.channel_order}, {contract.layout}, "
        f"value range {contract.value_range}, mean {contract.mean or 'none'}, std "
        f"{contract.std or 'none'}. Where the picture is red, the first channel of RGB is bright; "
        "if the answer makes no sense, the channel order or the range may be another.",
        tau=None,
    )


def _last_yes(labels: IntArray) -> IntArray:
    """Index map [h, w] of a multi-label answer [L, h, w]: the last label that says yes, or -1."""
    yes = labels[::-1] == 1
    last = len(labels) - 1 - np.argmax(yes, axis=0)
    return np.where(yes.any(axis=0), last, -1)


def _grey(plane: FloatArray, size: tuple[int, int]) -> ByteArray:
    """One channel in grey, from black at its lowest value to white at its highest."""
    low, high = float(plane.min()), float(plane.max())
    grey = (plane - low) / (high - low) if high > low else np.zeros_like(plane)
    return photograph_panel(np.repeat(grey[None], 3, axis=0), size)
