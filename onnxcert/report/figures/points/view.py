"""Figure of a point-cloud model's input and prediction, to spot wrong axes or a wrong frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.report.export.points import part_colours
from onnxcert.report.figures.figure import Panel, write_figure
from onnxcert.report.figures.legend import legend_entries
from onnxcert.report.figures.points.axes import Scene

_MOST_LABELS: Final = 8
_MOST_CHANNELS: Final = 9


class CloudSegmenter(Protocol):
    """Interface that this figure needs of a point-cloud model."""

    @property
    def contract(self) -> Any: ...
    @property
    def file(self) -> Any: ...
    @property
    def classes(self) -> int: ...
    @property
    def classifies(self) -> bool: ...
    def to_array(self, cloud: PointCloud, /) -> FloatArray: ...
    def __call__(self, batch: FloatArray, /) -> IntArray: ...


def draw_cloud_prediction(path: Path, segmenter: CloudSegmenter, cloud: PointCloud) -> None:
    """Write one PNG: each channel as the model gets it, with its range, and the prediction.

    Args:
        path: PNG to write; replaced atomically.
        segmenter: the model.
        cloud: the points in the model's frame, as many as the model takes.
    """
    contract = segmenter.contract
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
    answers = _prediction_maps(labels, names, segmenter.classes)
    colours = part_colours(names, own)
    panels = [
        Panel(f"{name}: {row.min():.3g} to {row.max():.3g}", scene.paint_grey(row))
        for name, row in zip(channels[:_MOST_CHANNELS], x, strict=False)
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


def _prediction_maps(
    labels: IntArray, names: Sequence[str], classes: int
) -> list[tuple[str, IntArray]]:
    """Return (heading, class of each point, -1 for none) of the prediction or of each label."""
    if labels.ndim == 1:
        return [("Answer", np.where(labels < classes, labels, -1))]
    return [
        (f"Answer: {names[i]}", np.where(yes == 1, i, -1))
        for i, yes in enumerate(labels[:_MOST_LABELS])
    ]


def _caption(contract: Any, points: int) -> str:
    category = (
        f", category to the input {contract.category_input}" if contract.category_input else ""
    )
    return (
        f"{points} points as the model gets them, dark to light from "
        f"the lowest to the highest value: {contract.channels}, {contract.layout}, frame "
        f"{contract.frame}{category}. The shape should stand as those that the model was trained "
        "on; if not, or if the answer makes no sense, its axes or its frame may be others."
    )
