"""One input in any form, as the array that noise is added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

import numpy as np

from onnxcert._typing import FloatArray
from onnxcert.api.arrays import as_float32, read_array, read_pil, to_numpy
from onnxcert.api.wrapped import WrappedModel
from onnxcert.data import read_image
from onnxcert.data.images.bands import grey
from onnxcert.data.paths import safe_name
from onnxcert.data.points import PointCloud, read_cloud
from onnxcert.errors import InputError, ParameterError
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.sampling import Segmenter
from onnxcert.sampling.tally import UNIT, Element

_IN_MEMORY: Final = "(an array in memory)"


@dataclass(frozen=True, eq=False)
class ReadInput:
    """An input that was read and preprocessed.

    Attributes:
        name: stem of its file, else ``input``.
        path: its file; text in parentheses for an array.
        prepared: what is shown in figures: an image [C, H, W] in [0, 1], the `PointCloud` in the
            model's frame, or any array.
        x: the array that noise is added to, float32 without a batch axis.
        unit: unit of `x`, as text.
    """

    name: str
    path: str
    prepared: Any
    x: FloatArray
    unit: str

    def kind(self, labels: tuple[int, ...], model: Segmenter) -> str:
        """Return what a component is, as text, given the shape of the labels of this input."""
        if isinstance(model, OnnxSegmenter):
            return str(model.component)
        is_image = isinstance(model, WrappedModel) and model.channels is not None
        if is_image and labels == self.x.shape[1:]:
            return Element.PIXEL.value
        return "of the callable's labels"


def read_input(
    image: Any,
    model: Segmenter,
    *,
    layout: str | None = None,
    range: Sequence[float] | None = None,
    columns: str | None = None,
    category: str | None = None,
    unit: str | None = None,
) -> ReadInput:
    """Read and preprocess an input for a model.

    Args:
        image: image as array, PIL image, tensor or file; point cloud as `PointCloud`, array or
            file; for a function also any array of floats.
        model: the model.
        layout: order of the axes of an image in memory; see `onnxcert.api.arrays`.
        range: values of black and white of an image in memory; see `onnxcert.api.arrays`.
        columns: columns of a point file; see `onnxcert.data.points.read_cloud`.
        category: category of a shape; by default that of its file.
        unit: unit of the input as text, instead of the model's.

    Raises:
        InputError: the input cannot be read, or does not fit the model.
        ParameterError: a parameter does not apply to this input.
    """
    is_file = isinstance(image, str | PathLike)
    path = Path(fspath(image)) if is_file else None
    if path is not None and path.is_dir():
        raise InputError(
            f"{path}: expected a file, but it is a folder: use onnxcert.certify_many, or a list of "
            "its files."
        )
    if path is not None and not path.is_file():
        raise InputError(f"{path}: expected a file, but there is none: check the path.")
    if is_file or isinstance(image, PointCloud):
        _refuse(layout=layout, range=range)
    takes_points = isinstance(model, OnnxSegmenter) and isinstance(model.contract, PointContract)
    if not takes_points:
        _refuse(columns=columns, category=category)
    if takes_points:
        assert isinstance(model, OnnxSegmenter)
        prepared = _read_points(path or image, model, columns, category, layout, range)
    else:
        prepared = _read_image(path or image, model, layout, range)
    x = model.to_array(prepared) if isinstance(model, OnnxSegmenter) else prepared
    return ReadInput(
        "input" if path is None else safe_name(path.stem),
        _IN_MEMORY if path is None else str(path),
        prepared,
        _check_finite(x),
        unit or _default_unit(model),
    )


def _refuse(**keywords: Any) -> None:
    """Raise ParameterError if a keyword is given that does not apply to this input."""
    for name, value in keywords.items():
        if value is not None:
            kind = "images in memory" if name in ("layout", "range") else "point clouds"
            raise ParameterError(f"{name} is for {kind}; leave it out.")


def _read_image(
    image: Any, model: Segmenter, layout: str | None, range: Sequence[float] | None
) -> FloatArray:
    if isinstance(image, PointCloud):
        if isinstance(model, OnnxSegmenter):
            raise InputError("the model takes images, got a point cloud; give an image.")
        raise InputError("a callable takes an array, got a point cloud; pass its rows [c, N].")
    bands: tuple[str, ...] = ()
    channels: int | None = 3
    if isinstance(model, OnnxSegmenter):
        assert isinstance(model.contract, ImageContract)
        bands, channels = model.contract.bands, model.contract.declared_channels
    elif isinstance(model, WrappedModel):
        channels = model.channels
    if isinstance(image, Path):
        pixels = read_image(image, bands)
    elif hasattr(image, "getexif") and hasattr(image, "mode"):  # a PIL image, without loading PIL
        pixels = read_pil(image, len(bands) or 3 if channels is None or bands else channels)
    elif not isinstance(model, OnnxSegmenter | WrappedModel) or channels is None:
        found = to_numpy(image)
        if found.dtype.kind == "f":  # any array of floats, as it is
            _refuse(layout=layout, range=range)
            return np.array(found, dtype=np.float32, order="C")
        pixels = read_array(found, 3, layout=layout, range=range)
    else:
        pixels = read_array(image, channels, layout=layout, range=range)
    if isinstance(model, WrappedModel) and channels == 1:
        return grey(pixels)
    if isinstance(model, WrappedModel) and channels not in (None, len(pixels)):
        raise InputError(
            f"the model takes images of {channels} channels, got {len(pixels)}; pass an array."
        )
    return pixels


def _read_points(
    cloud: Any,
    model: OnnxSegmenter,
    columns: str | None,
    category: str | None,
    layout: str | None,
    range: Sequence[float] | None,
) -> Any:
    if isinstance(cloud, Path):
        cloud = read_cloud(cloud, columns=columns)
    else:
        _refuse(columns=columns)
    if isinstance(cloud, PointCloud):
        cloud = replace(cloud, category=category) if category is not None else cloud
        return model.entry.preprocess(cloud)
    if category is not None:
        raise ParameterError("category is for a PointCloud or a file; the array has it as a row.")
    _refuse(layout=layout, range=range)
    rows = np.array(to_numpy(cloud), dtype=np.float32, order="C")
    channels = model.contract.declared_channels
    if rows.ndim == 2 and rows.shape[1] == channels != rows.shape[0]:
        return np.ascontiguousarray(rows.T)  # [N, c]
    return rows


def _default_unit(model: Segmenter) -> str:
    if isinstance(model, OnnxSegmenter):
        return model.unit
    is_image = isinstance(model, WrappedModel) and model.channels is not None
    return UNIT if is_image else "in the unit of the input"


def _check_finite(x: FloatArray) -> FloatArray:
    """Return `x` as contiguous float32.

    Raises:
        InputError: `x` does not hold finite numbers.
    """
    if not np.isfinite(x).all():
        raise InputError("the input must hold finite numbers, got NaN or infinity.")
    return as_float32(x)
