"""Open an ONNX model: its contract and preprocessing from keywords."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Unpack

from onnxcert.api.keyword_checks import check_keywords
from onnxcert.api.keywords import (
    ContractKeywords,
    LoadKeywords,
    Name,
    NameKeywords,
    select_keywords,
)
from onnxcert.data import read_class_names
from onnxcert.data.points.shapenet import read_categories
from onnxcert.errors import ParameterError
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.bundled import find_model
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.image import BANDS, CHANNEL_ORDERS, ImageContract
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import ModelFile, read_model
from onnxcert.model.segmenter import OnnxSegmenter


@check_keywords(LoadKeywords)
def load(model: Name, **keywords: Unpack[LoadKeywords]) -> OnnxSegmenter:
    """Open an ONNX model.

    Open a model once and certify many inputs with it: its execution plan and its batch-invariance
    check belong to the opened model and are not repeated for inputs of the same shape.

    Args:
        model: ONNX file, folder with one, or the name of a bundled model (``street``, ``parts``).
        keywords: contract, preprocessing and device, as on the command line; see
            `onnxcert.api.keywords.LoadKeywords`.

    Raises:
        ModelError: the file, its graph or its contract cannot be used.
        DeviceError: the device is not available.
        ParameterError: a keyword is unknown or its value is out of range.
    """
    file = read_model(find_model(fspath(model)))
    return open_model(file, keywords)


def open_model(
    file: ModelFile, keywords: Mapping[str, Any], *, names: Sequence[str] = ()
) -> OnnxSegmenter:
    """Return the model of a file that was read; `names` are the class names of the inputs."""
    contract = detect(file, collect_contract(keywords), names=names)
    runtime: dict[str, Any] = {k: keywords[k] for k in ("device", "threads") if k in keywords}
    fit = keywords.get("fit")
    return OnnxSegmenter(
        file,
        contract,
        fit=make_fit(contract, file, keywords) if fit is None else fit,
        fill=keywords.get("fill", False),
        **runtime,
    )


def collect_contract(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contract fields that keywords give, by name, without those that are None.

    Raises:
        ParameterError: two keywords set the same field, or a value has another form.
    """
    given: dict[str, Any] = {
        name: value
        for name, value in select_keywords(keywords, ContractKeywords, NameKeywords).items()
        if value is not None
    }
    if "range" in given and "value_range" in given:
        raise ParameterError("range and value_range are the same; give only one of them.")
    if "channels_are" in given and "channel_order" in given:
        raise ParameterError(
            "--channel-order and --channels-are both set the channels; give only one of them."
        )
    if "range" in given:
        given["value_range"] = given.pop("range")
    if "channels_are" in given:
        given |= parse_channels(given.pop("channels_are"))
    for name in ("value_range", "mean", "std"):
        if name in given:
            given[name] = _as_numbers(name.removeprefix("value_"), given[name])
    if isinstance(given.get("class_names"), str | PathLike):
        given["class_names"] = read_class_names(Path(given["class_names"]))
    for name in ("bands", "class_names"):
        if name in given:
            given[name] = tuple(given[name])
    if isinstance(given.get("feeds"), Mapping):
        given["feeds"] = tuple(
            (name, value.tolist() if hasattr(value, "tolist") else value)
            for name, value in given["feeds"].items()
        )
    if isinstance(given.get("categories"), str):
        given["categories"] = read_categories(given["categories"])
    return given


def _as_numbers(name: str, values: Any) -> tuple[float, ...]:
    """Return the numbers of a keyword; text is refused, because the parts of it are characters."""
    parts: Any = None if isinstance(values, str) else values
    try:
        return tuple(map(float, parts))
    except (TypeError, ValueError):
        raise ParameterError(f"{name} must be numbers such as (0, 1), got {values!r}.") from None


def parse_channels(channels: str) -> dict[str, Any]:
    """Return contract fields from a colour order, `bands`, or band names separated by commas.

    Raises:
        ParameterError: `channels` is neither.
    """
    order = channels.strip().upper().replace("GREY", "GRAY")
    if order in CHANNEL_ORDERS:
        return {"channel_order": order}
    names = tuple(name.strip() for name in channels.split(","))
    if len(names) < 2 or not all(names):
        raise ParameterError(
            "--channels-are must be rgb, bgr, rgba, bgra, grey, bands or the names of all bands "
            f"such as blue,green,red,nir, got {channels!r}."
        )
    return {"channel_order": BANDS, "bands": names}


def make_fit(contract: Contract, file: ModelFile, keywords: Mapping[str, Any]) -> Fit:
    """Return the preprocessing of images that keywords define.

    Models of points accept only the default, so opening them refuses any other.

    Raises:
        ParameterError: keywords contradict each other or the model.
    """
    size, resize, tile = keywords.get("size"), keywords.get("resize", False), keywords.get("tile")
    if resize and size is not None:
        raise ParameterError("--resize and --size exclude each other; give only one of them.")
    if not isinstance(contract, ImageContract):
        if resize or tile == "model":
            return Fit(grid="model")
        contract = ImageContract()
    if resize and contract.size is None:
        raise ParameterError(
            f"{file.path} takes images of any size; use --size instead of --resize."
        )
    if tile == "model" and contract.size is None:
        raise ParameterError(
            f"{file.path} takes images of any size; give the tile size as --tile HxW."
        )
    scale, scales, pad_to = (
        keywords.get("scale", 1.0),
        keywords.get("scales"),
        keywords.get("pad_to"),
    )
    size = contract.size if resize else size
    plain = scale == 1.0 and not scales and tile is None
    overlap = keywords.get("overlap")
    return Fit(
        scale=scale,
        size=contract.usual_size if size is None and plain else size,
        pad_to=(contract.multiple or 1) if pad_to is None else pad_to,
        grid=keywords.get("grid", "native"),
        scales=tuple(scales or ()),
        flip=keywords.get("flip", False),
        tile=contract.size if tile == "model" else tile,
        overlap=(overlap, overlap) if isinstance(overlap, int) else overlap,
    )
