"""Figure of a model's input and prediction.

It shows a wrong channel order, value range, axis or frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.contract.base import ASSUMED
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report.figures import palette
from onnxcert.report.figures.axes import ByteArray, ImageCanvas
from onnxcert.report.figures.figure import Panel, write_figure
from onnxcert.report.figures.images import composite
from onnxcert.report.figures.legend import legend_entries
from onnxcert.report.figures.palette import part_colours
from onnxcert.report.figures.points.axes import Scene

_MOST_LABELS: Final = 8
_MOST_CHANNELS: Final = 16
_MOST_POINT_CHANNELS: Final = 9
_COLOUR_HINT: Final = (
    "Where the picture is red, the first channel of RGB is bright; if the answer makes no sense, "
    "the channel order or the range may be another."
)
_BANDS_HINT: Final = (
    "If the answer makes no sense, the order of the bands or the range may be another."
)


def draw_prediction(path: Path, segmenter: OnnxSegmenter, picture: FloatArray) -> None:
    """Write one PNG: the image, each channel as the network gets it, and the prediction.

    Args:
        path: PNG to write; replaced atomically.
        segmenter: the model.
        picture: float32 [3, H, W], RGB in [0, 1], or the model's bands [C, H, W].
    """
    contract, entry = segmenter.contract, segmenter.entry
    assert isinstance(contract, ImageContract)
    assert isinstance(entry, ImageAdapter)
    pixels = segmenter.to_array(picture)
    labels = _label_map(segmenter, pixels)
    many = len(labels) if labels.ndim == 3 else segmenter.classes
    names = contract.class_names or tuple(f"class {c}" for c in range(many))
    predictions = _prediction_maps(labels, names, segmenter.classes, many=labels.ndim == 3)
    if contract.sources.get("channel_order") == ASSUMED and contract.network_channels == 3:
        swapped = contract.override("tried", channel_order="BGR")
        other = OnnxSegmenter(segmenter.file, swapped, fit=entry.fit, device="cpu")
        predictions += [
            (f"{heading} if the order were BGR", prediction)
            for heading, prediction in _prediction_maps(
                _label_map(other, pixels), names, segmenter.classes, many=labels.ndim == 3
            )
        ]
    colours = palette.colours(names)
    canvas = ImageCanvas((picture.shape[1], picture.shape[2]))
    shown, heading = composite(picture, contract.bands) if contract.bands else (picture, "Picture")

    def channel_name(i: int) -> str:
        return contract.bands[i] if contract.bands else f"Channel {i + 1}"

    panels = [
        Panel(heading, canvas.paint_image(shown)),
        *(
            Panel(
                f"{channel_name(i)}: {plane.min():.3g} to {plane.max():.3g}",
                _grey_panel(plane, canvas),
            )
            for i, plane in enumerate(segmenter.network_input(pixels)[:_MOST_CHANNELS])
        ),
        *(Panel(heading, canvas.paint_labels(a, colours)) for heading, a in predictions),
    ]
    write_figure(
        path,
        panels,
        legend_entries([(a, None) for _, a in predictions], names, colours, nothing="none"),
        title=segmenter.file.name,
        caption=(
            f"The answer is of {entry.averaged}; the channels are those of the first view. "
            if entry.averaged
            else ""
        )
        + f"Channels as the network gets them: {contract.channels_are}, {contract.layout}, "
        f"value range {contract.value_range}, mean {contract.mean or 'none'}, std "
        f"{contract.std or 'none'}. {_BANDS_HINT if contract.bands else _COLOUR_HINT}",
    )


def _label_map(segmenter: OnnxSegmenter, pixels: FloatArray) -> IntArray:
    """Return the labels [h, w] or [L, h, w] of one image; one cell for a classifier."""
    labels: IntArray = segmenter(pixels[None])[0]
    if not segmenter.classifies:
        return labels
    many = segmenter.contract.output_form == "multilabel"
    return labels[:, None, None] if many else labels[None]


def _prediction_maps(
    labels: IntArray, names: Sequence[str], classes: int, *, many: bool
) -> list[tuple[str, IntArray]]:
    """Return (heading, class of each component, -1 for none) of the prediction or of each label."""
    if not many:
        return [("Answer", np.where(labels < classes, labels.astype(np.int32), np.int32(-1)))]
    return [
        (f"Answer: {names[i]}", np.where(yes == 1, np.int32(i), np.int32(-1)))
        for i, yes in enumerate(labels[:_MOST_LABELS])
    ]


def _grey_panel(plane: FloatArray, canvas: ImageCanvas) -> ByteArray:
    """Return one channel in grey, from black at its lowest value to white at its highest."""
    low, high = float(plane.min()), float(plane.max())
    grey = (plane - low) / (high - low) if high > low else np.zeros_like(plane)
    return canvas.paint_image(np.repeat(grey[None], 3, axis=0))


def draw_cloud_prediction(path: Path, segmenter: OnnxSegmenter, cloud: PointCloud) -> None:
    """Write one PNG: each channel as the model gets it, with its range, and the prediction.

    Args:
        path: PNG to write; replaced atomically.
        segmenter: the model.
        cloud: the points in the model's frame, as many as the model takes.
    """
    contract = cast(PointContract, segmenter.contract)
    x = segmenter.to_array(cloud)
    labels = segmenter(x[None])[0]
    own = dict(contract.categories).get(cloud.category, ())
    many = contract.output_form == "multilabel"
    names = contract.class_names or tuple(
        f"class {c}" for c in range(len(labels) if many else segmenter.classes)
    )
    channels = channel_names(contract.channels, contract.features)
    normals = x[3:6].T.copy() if "normals" in contract.channels else None
    scene = Scene.of(PointCloud(x[:3].T.copy(), normals))
    if segmenter.classifies:  # one prediction for all points
        labels = np.repeat(labels[:, None] if many else labels, x.shape[1], axis=-1)
    answers = _prediction_maps(labels, names, segmenter.classes, many=many)
    colours = part_colours(names, own)
    panels = [
        Panel(f"{name}: {row.min():.3g} to {row.max():.3g}", scene.paint_grey(row))
        for name, row in zip(channels[:_MOST_POINT_CHANNELS], x, strict=False)
    ]
    panels += [Panel(heading, scene.paint_labels(answer, colours)) for heading, answer in answers]
    write_figure(
        path,
        panels,
        legend_entries([(a, None) for _, a in answers], names, colours, nothing="none"),
        title=f"{segmenter.file.name}: {cloud.category}" if cloud.category else segmenter.file.name,
        caption=_caption(contract, x.shape[1]),
    )


def channel_names(channels: str, features: int) -> list[str]:
    """Return the name of each channel, given the contract's `channels`.

    >>> channel_names("xyz+normals", 0)
    ['x', 'y', 'z', 'normal x', 'normal y', 'normal z']
    """
    names = ["x", "y", "z"]
    if "normals" in channels:
        names += [f"normal {axis}" for axis in "xyz"]
    if "features" in channels:
        names += [f"feature {i + 1}" for i in range(features)]
    return names


def _caption(contract: PointContract, points: int) -> str:
    category = (
        f", category to the input {contract.category_input}" if contract.category_input else ""
    )
    return (
        f"{points} points as the model gets them, dark to light from "
        f"the lowest to the highest value: {contract.channels}, {contract.layout}, frame "
        f"{contract.frame}{category}. The shape should stand as those that the model was trained "
        "on; if not, or if the answer makes no sense, its axes or its frame may be others."
    )
