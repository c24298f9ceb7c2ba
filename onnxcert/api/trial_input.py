"""Inputs for trial runs of a model: a file, or random values of a given size."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxcert.data import read_image
from onnxcert.data.points import MAX_POINTS, read_cloud
from onnxcert.errors import ModelError, OnnxcertError, ParameterError
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.detect.trial_passes import try_answers
from onnxcert.model.segmenter import OnnxSegmenter

_LARGEST_SIDE: Final = 2**14


def make_trial_input(given: str | None, segmenter: OnnxSegmenter) -> Any:
    """Return an image or point cloud: the given file, or random values of the given size.

    Args:
        given: Path of a file, HEIGHTxWIDTH or a number of points; None for the model's own size.
        segmenter: The model.

    Raises:
        ParameterError: `given` is invalid, or missing although the model takes any size.
    """
    if isinstance(segmenter.contract, PointContract):
        return _make_cloud(given, segmenter, segmenter.contract)
    assert isinstance(segmenter.contract, ImageContract)
    if given is not None and Path(given).exists():
        return read_image(Path(given), segmenter.contract.bands)
    size = segmenter.contract.size
    if given is not None:
        match = re.fullmatch(r"([1-9]\d{0,8})x([1-9]\d{0,8})", given.lower())
        if match is None:
            raise ParameterError(
                f"--picture must be a file or HEIGHTxWIDTH such as 512x1024, got {given!r}."
            )
        size = int(match[1]), int(match[2])
    if size is None:
        raise ParameterError(
            f"{segmenter.file.path} takes images of any size; give a file or HEIGHTxWIDTH with "
            "--picture."
        )
    if max(size) > _LARGEST_SIDE:
        raise ParameterError(
            f"--picture must be at most {_LARGEST_SIDE}x{_LARGEST_SIDE}, got {given}."
        )
    rng = np.random.default_rng(0)
    return rng.random((len(segmenter.contract.bands) or 3, *size), dtype=np.float32)


def try_model(segmenter: OnnxSegmenter, tile: Any = None) -> bool:
    """Run the model once on a random input; return whether it runs on any of the tried sizes.

    Args:
        segmenter: The model.
        tile: (height, width) of the tiles, if images are split into tiles.

    Raises:
        ModelError: The model fails and the size cannot be the reason, because no other size is
            possible or because the original graph runs without the nodes that onnxcert adds.
    """
    contract = segmenter.contract
    grids = [tile, *contract.trial_grids] if isinstance(tile, tuple) else contract.trial_grids
    failure = None
    for grid in grids:
        try:
            x = segmenter.to_array(make_trial_input("x".join(map(str, grid)), segmenter))
            segmenter.entry.check(x.shape, segmenter.file.path)
        except OnnxcertError:
            continue  # the model takes no input of this size
        try:
            segmenter(x[None])
            return True
        except ModelError as error:
            failure = failure or error
    if failure is None:
        return False
    entry = segmenter.entry
    one_size = len(grids) == 1 or (isinstance(entry, ImageAdapter) and entry.fit.size is not None)
    if one_size or try_answers(segmenter.file.proto, contract, contract.output) is not None:
        raise failure
    return False


def _make_cloud(given: str | None, segmenter: OnnxSegmenter, contract: PointContract) -> Any:
    """Return the given point cloud, or a random one with the given number of points."""
    if given is not None and Path(given).exists():
        cloud = read_cloud(Path(given))
        if contract.needs_category and not cloud.category:
            # The time does not depend on the category.
            cloud = replace(cloud, category=contract.categories[0][0])
        return segmenter.entry.preprocess(cloud)
    if given is not None and not (given.isdecimal() and 0 < int(given) <= MAX_POINTS):
        raise ParameterError(
            f"--picture must be a point cloud file or a number of points from 1 to {MAX_POINTS}, "
            f"got {given!r}."
        )
    points = int(given) if given is not None else contract.points
    if points is None:
        raise ParameterError(
            f"{segmenter.file.path} takes any number of points; give a file or a number of points "
            "with --picture."
        )
    rows = np.random.default_rng(0).normal(size=(contract.declared_channels, points))
    rows[:3] /= 2 * np.linalg.norm(rows[:3], axis=0).max()  # well within the unit sphere
    if contract.needs_category:
        rows[-1] = 0
    return rows.astype(np.float32)
