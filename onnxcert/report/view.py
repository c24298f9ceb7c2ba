"""What a model sees and answers: one look tells a wrong channel order or range."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.model.proposal import ASSUMED
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
    answers = [("Answer", _answer(segmenter, pixels))]
    if contract.sources.get("channel_order") == ASSUMED and contract.network_channels == 3:
        swapped = contract.override("tried", channel_order="BGR")
        other = OnnxSegmenter(segmenter.file, swapped, fit=segmenter.fit, device="cpu")
        answers.append(("Answer if the order were BGR", _answer(other, pixels)))
    many = 1 + max(int(answer.max()) for _, answer in answers)
    names = contract.class_names or [f"class {c}" for c in range(max(many, segmenter.classes))]
    colours = palette.colours(names)
    size = panel_size(picture.shape[1], picture.shape[2])
    panels = [
        Panel("Picture", photograph_panel(picture, size)),
        *(
            Panel(f"Channel {i + 1}: {plane.min():.3g} to {plane.max():.3g}", _grey(plane, size))
            for i, plane in enumerate(segmenter.seen(pixels))
        ),
        *(Panel(heading, paint(nearest(a, size), colours)) for heading, a in answers),
    ]
    write_sheet(
        path,
        panels,
        legend_entries([(answer, None) for _, answer in answers], names, colours),
        title=segmenter.file.name,
        caption=f"Channels as the network gets them: {contract.channel_order}, {contract.layout}, "
        f"value range {contract.value_range}, mean {contract.mean or 'none'}, std "
        f"{contract.std or 'none'}. Where the picture is red, the first channel of RGB is bright; "
        "if the answer makes no sense, the channel order or the range may be another.",
        tau=None,
    )


def _answer(segmenter: OnnxSegmenter, pixels: FloatArray) -> IntArray:
    """Index map [h, w]; of a multi-label answer the last label that says yes; -1 is none."""
    labels = segmenter(pixels[None])[0]
    if labels.ndim == 2:
        return np.where(labels < segmenter.classes, labels.astype(np.int32), np.int32(-1))
    yes = labels[::-1] == 1
    last = len(labels) - 1 - np.argmax(yes, axis=0)
    return np.where(yes.any(axis=0), last, -1)


def _grey(plane: FloatArray, size: tuple[int, int]) -> ByteArray:
    """One channel in grey, from black at its lowest value to white at its highest."""
    low, high = float(plane.min()), float(plane.max())
    grey = (plane - low) / (high - low) if high > low else np.zeros_like(plane)
    return photograph_panel(np.repeat(grey[None], 3, axis=0), size)
