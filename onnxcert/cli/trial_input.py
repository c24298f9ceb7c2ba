"""An input to time a model on: a file, or one of noise of the size given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import typer

from onnxcert.cli.parsing import height_and_width
from onnxcert.errors import ModelError, OnnxcertError, ParameterError
from onnxcert.inputs import read_image
from onnxcert.inputs.clouds import MAX_POINTS, read_cloud
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.pictures.entry import PictureEntry
from onnxcert.model.points.contract import PointContract
from onnxcert.model.running.trial_passes import try_answers
from onnxcert.model.segmenter import OnnxSegmenter

_LARGEST_SIDE: Final = 2**14


def trial_input(said: str | None, segmenter: OnnxSegmenter) -> Any:
    """The picture named, or one of noise of the height and width given; for points, a cloud."""
    if isinstance(segmenter.contract, PointContract):
        return _cloud(said, segmenter, segmenter.contract)
    assert isinstance(segmenter.contract, PictureContract)
    if said is not None and Path(said).exists():
        return read_image(Path(said), segmenter.contract.bands)
    sides = segmenter.contract.size
    if said is not None:
        try:
            sides = height_and_width(said)
        except typer.BadParameter:
            raise ParameterError(
                f"--picture must be a file or HEIGHTxWIDTH such as 512x1024, got {said!r}, which "
                "is neither."
            ) from None
    if sides is None:
        raise ParameterError(
            f"{segmenter.file.path} takes pictures of any size; give one with --picture, a file or "
            "HEIGHTxWIDTH."
        )
    if max(sides) > _LARGEST_SIDE:
        raise ParameterError(
            f"--picture may be {_LARGEST_SIDE}x{_LARGEST_SIDE} at most, got {said}."
        )
    rng = np.random.default_rng(0)
    return rng.random((len(segmenter.contract.bands) or 3, *sides), dtype=np.float32)


def try_model(segmenter: OnnxSegmenter, tile: Any = None) -> bool:
    """Run the model once on a random input; return whether it runs on any of the sizes tried.

    Args:
        segmenter: the model.
        tile: (height, width) of the tiles, if the model sees pictures in tiles.

    Raises:
        ModelError: it fails, and the size cannot be the reason: no other size is possible, or the
            original graph runs without what onnxcert adds to it.
    """
    contract = segmenter.contract
    grids = [tile, *contract.trial_grids] if isinstance(tile, tuple) else contract.trial_grids
    refusal = None
    for grid in grids:
        try:
            x = segmenter.declared(trial_input("x".join(map(str, grid)), segmenter))
            segmenter.entry.check(x.shape, segmenter.file.path)
        except OnnxcertError:
            continue  # the model takes no input of this size
        try:
            segmenter(x[None])
            return True
        except ModelError as error:
            refusal = refusal or error
    if refusal is None:
        return False
    entry = segmenter.entry
    alone = len(grids) == 1 or (isinstance(entry, PictureEntry) and entry.fit.size is not None)
    if alone or try_answers(segmenter.file.proto, contract, contract.output) is not None:
        raise refusal
    return False


def _cloud(said: str | None, segmenter: OnnxSegmenter, contract: PointContract) -> Any:
    """The point cloud named, or a random one of the number of points given."""
    if said is not None and Path(said).exists():
        cloud = read_cloud(Path(said))
        if contract.needs_category and not cloud.category:
            cloud = replace(cloud, category=contract.categories[0][0])  # any takes the same time
        return segmenter.entry.prepared(cloud)
    if said is not None and not (said.isdecimal() and 0 < int(said) <= MAX_POINTS):
        raise ParameterError(
            f"--picture must be a file of points or their number, got {said!r}, which is neither."
        )
    points = int(said) if said is not None else contract.points
    if points is None:
        raise ParameterError(
            f"{segmenter.file.path} takes any number of points; give one with --picture, a file or "
            "their number."
        )
    rows = np.random.default_rng(0).normal(size=(contract.declared_channels, points))
    rows[:3] /= 2 * np.linalg.norm(rows[:3], axis=0).max()  # well within the unit sphere
    if contract.needs_category:
        rows[-1] = 0
    return rows.astype(np.float32)
