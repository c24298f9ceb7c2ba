"""The adapter for images: preprocessing, and the way from scores to pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxcert._typing import FloatArray, IntArray, Perturbation
from onnxcert.data.images.bands import grey, join_band_names, number_bands
from onnxcert.data.points import PointCloud
from onnxcert.errors import InputError, ModelError, ParameterError
from onnxcert.model.adapter.base import INPUT
from onnxcert.model.adapter.normalisation import add_normalisation
from onnxcert.model.adapter.resize import Fit, sliding_windows
from onnxcert.model.contract.change import refuse_unfit
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.graph.nodes import Nodes
from onnxcert.perturbation import OnChannels
from onnxcert.sampling.tally import Element

LARGEST_IMAGE: Final = 2**27
RESIZED: Final = "onnxcert_resized"
PADS: Final = "onnxcert_pads"


@final
@dataclass(frozen=True)
class ImageAdapter:
    """Preprocessing of pixels [c, H, W] in [0, 1]; see `onnxcert.model.adapter.base.Adapter`.

    The graph before the network resizes, pads, orders the channels and normalises. If `fit` needs
    them, its further inputs are `RESIZED`, int64 [2], the size after resizing, and `PADS`, int64
    [8], the padding in the form of the operator Pad.

    Attributes:
        contract: The contract of the model.
        fit: Resizing, padding and test-time augmentation.
    """

    contract: ImageContract
    fit: Fit

    def __post_init__(self) -> None:
        if self.fit.averages and self.contract.output_form == "labels":
            raise ParameterError(
                "the model outputs class indices, which cannot be averaged; leave out --scales, "
                "--flip and --tile, or name an output of scores with --output."
            )
        if self.fit.tile is not None and self.contract.classifies:
            raise ParameterError(
                "the model classifies a whole image, so tiles cannot be used; leave out --tile."
            )

    @property
    def unit(self) -> str:
        bands = self.contract.bands
        if bands:
            named = f" {join_band_names(bands)}" if bands != number_bands(len(bands)) else ""
            many = f"{len(bands)} band{'s' if len(bands) > 1 else ''}{named}"
            return f"values in [0, 1] of the {many} at native resolution"
        kind = "grey" if self.contract.declared_channels == 1 else "pixel"
        return f"{kind} values in [0, 1] at native resolution"

    @property
    def element(self) -> Element:
        return Element.PIXEL if self.fit.grid == "native" else Element.CELL

    @property
    def description(self) -> str:
        contract = self.contract
        low, high = contract.value_range or (0.0, 1.0)
        mean, std = (",".join(f"{v:g}" for v in v) or "none" for v in (contract.mean, contract.std))
        usual = Fit().as_dict()
        fit = [f"{name} {v}" for name, v in self.fit.as_dict().items() if v != usual.get(name, v)]
        if self.fit.size is not None and self.fit.size == contract.usual_size:
            fit[0] += f" ({contract.sources.get('resize', '')})"
        fit += [self.averaged] if self.averaged else []
        source = contract.sources.get("mean", contract.sources.get("std", ""))
        suffix = f" ({source})" if source not in ("", "given") else ""
        return (
            f"pixels  {contract.channels_are} ({contract.sources.get('channel_order', '')}), "
            f"{low:g} to {high:g} ({contract.sources.get('value_range', '')}), mean {mean}, std "
            f"{std}{suffix}, {', '.join(fit) or 'own size'}"
        )

    @property
    def averaged(self) -> str:
        return self.fit.averaged

    def as_dict(self) -> dict[str, Any]:
        return self.fit.as_dict()

    def values(self, shape: tuple[int, ...]) -> int:
        return self.contract.network_channels * max(map(math.prod, self._seen(shape)))

    def _seen(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return each size at which the network sees an image or a view of it, ascending."""
        passes = sliding_windows(self.fit, *shape[1:])
        return sorted(
            {self.fit.plain(windows.seen).padded_size(*windows.size) for windows in passes}
        )

    def describe(self, shape: tuple[int, ...]) -> str:
        return f"images of {shape[1]}x{shape[2]} pixels"

    @property
    def remedy(self) -> str:
        return "try --pad-to 32, --size or --scale"

    def preprocess(self, given: Any) -> Any:
        return given

    def to_array(self, image: Any) -> FloatArray:
        """Return the image [3, H, W], as grey [1, H, W] (ITU-R 601) if the model takes grey.

        Bands [C, H, W] are returned unchanged.
        """
        if isinstance(image, PointCloud):
            raise InputError("the model takes images, got a point cloud; give an image.")
        bands = self.contract.bands
        channels = len(bands) or 3
        if np.ndim(image) != 3 or len(image) != channels or np.size(image) == 0:
            names = f" (the bands {join_band_names(bands)})" if bands else ""
            raise InputError(
                f"an image must have the shape [{channels}, height, width]{names}, got "
                f"{list(np.shape(image))}."
            )
        if not 0.0 <= float(image.min()) <= float(image.max()) <= 1.0:
            raise InputError(
                f"pixels must lie in [0, 1], got {image.min():g} to {image.max():g}; for 8-bit "
                "pixels divide by 255."
            )
        in_grey = self.contract.declared_channels == 1 and not bands
        return grey(image) if in_grey else image

    def check(self, shape: tuple[int, ...], path: Path) -> None:
        if len(shape) != 3 or shape[0] != self.contract.declared_channels:
            raise ModelError(
                f"the model takes images as [batch, {self.contract.declared_channels}, height, "
                f"width], got {['batch', *shape]}."
            )
        wanted = self.contract.size
        for seen in self._seen(shape):
            if seen[0] * seen[1] > LARGEST_IMAGE:
                raise ModelError(
                    f"an image of {shape[1]}x{shape[2]} pixels becomes {seen[0]}x{seen[1]} for the "
                    f"model, more than {LARGEST_IMAGE} pixels; pass a smaller --size, --scale or "
                    "--pad-to, or --tile."
                )
            if wanted is not None and seen != wanted:
                remedy = "pass --resize to resize images to that size"
                if self.fit.tile == wanted:
                    remedy = "pass --pad-to for images smaller than a tile"
                elif self.fit.averages:
                    remedy = "pass --tile model, and --pad-to for images smaller than a tile"
                elif not self.contract.classifies:
                    remedy += ", or --tile model for a sliding window over larger ones"
                raise ModelError(
                    f"{path} takes images of {wanted[0]}x{wanted[1]} pixels only, got "
                    f"{seen[0]}x{seen[1]}; {remedy}."
                )

    def check_noise(
        self, _x: FloatArray, _noisy: FloatArray, perturbation: Perturbation, /
    ) -> None:
        """Raise ParameterError if noise does not fit the model; every channel may be perturbed."""
        noise = perturbation.of if isinstance(perturbation, OnChannels) else perturbation
        refuse_unfit(type(noise), self.contract)

    def score_grid(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        return None if self.fit.grid == "model" else self.fit.padded_size(*shape[1:])

    def grid(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.fit.padded_size(*shape[1:])

    def label_grid(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        return None if self.fit.grid == "model" else shape[1:]

    def inputs(self, rows: int | str) -> list[onnx.ValueInfoProto]:
        info = helper.make_tensor_value_info
        channels = self.contract.declared_channels
        inputs = [info(INPUT, TensorProto.FLOAT, [rows, channels, "height", "width"])]
        if self.fit.resizes or self.fit.pad_to > 1:
            inputs.append(info(RESIZED, TensorProto.INT64, [2]))
        if self.fit.pad_to > 1:
            inputs.append(info(PADS, TensorProto.INT64, [8]))
        return inputs

    def feeds(self, shape: tuple[int, ...]) -> dict[str, IntArray]:
        resized, padded = self.fit.resized_size(*shape[1:]), self.fit.padded_size(*shape[1:])
        feeds: dict[str, IntArray] = {}
        if self.fit.resizes or self.fit.pad_to > 1:
            feeds[RESIZED] = np.array(resized, dtype=np.int64)
        if self.fit.pad_to > 1:
            added = [after - before for before, after in zip(resized, padded, strict=True)]
            feeds[PADS] = np.array([0, 0, 0, 0, 0, 0, *added], dtype=np.int64)
        return feeds

    def front(self, nodes: Nodes, _inputs: Mapping[str, onnx.ValueInfoProto], /) -> str:
        """Add the preprocessing; return the pixels at the network's size, [B, c, h, w]."""
        seen = INPUT
        if self.fit.resizes:
            seen = nodes.resize(seen, RESIZED)
        if self.fit.pad_to > 1:
            seen = nodes.add("Pad", seen, PADS, mode="edge")
        add_normalisation(nodes, seen, self.contract)
        return seen

    def back(self, nodes: Nodes, scores: str, seen: str, other_size: bool, /) -> tuple[str, str]:
        """Resize scores to the image's own size, or leave them unchanged for the model's grid."""
        if self.fit.grid == "model" or self.contract.classifies:
            return scores, scores
        nearest = self.contract.output_form == "labels"
        if self.fit.pad_to > 1:
            if other_size:
                scores = nodes.resize(scores, nodes.axes(seen, 2, 4), nearest=nearest)
            begin, axes = nodes.constant([0, 0]), nodes.constant([2, 3])
            scores = nodes.add("Slice", scores, begin, RESIZED, axes)
        if self.fit.resizes or (other_size and self.fit.pad_to == 1):
            scores = nodes.resize(scores, nodes.axes(INPUT, 2, 4), nearest=nearest)
        return scores, scores
