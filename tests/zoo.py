"""One small function, spoken by ONNX graphs in every dialect that files in the wild speak.

`Conv3` is the function: plain NumPy, float64, from pixels in the declared unit to labels. A
`Dialect` says how a graph wants its pixels and gives its answer; `proto` writes that graph and
`given` the flags that describe it. Whatever the dialect, the labels must be those of the function.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from graphs import KINDS, Graph, Shape
from onnx import TensorProto

Array = npt.NDArray[Any]

# -- the function ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Conv3:
    """Scores of a 3 x 3 convolution with zero padding on pixels in the declared unit; float64."""

    weight: Array
    bias: Array
    stride: int = 1

    @classmethod
    def random(cls, classes: int, channels: int = 3, *, seed: int = 0, stride: int = 1) -> Conv3:
        """Random weights; no class is preferred where the picture is grey."""
        weight = np.random.default_rng(seed).normal(0, 1, (classes, channels, 3, 3))
        weight -= weight.mean(axis=(1, 2, 3), keepdims=True)
        weight[:, :, 1, 1] += np.random.default_rng(seed + 1).normal(0, 3, (classes, channels))
        bias = -weight.sum(axis=(1, 2, 3)) / 2
        return cls(weight.astype(np.float32), bias.astype(np.float32), stride)

    @property
    def classes(self) -> int:
        return len(self.bias)

    def scores(self, pixels: Array) -> Array:
        """[B, C, H/stride, W/stride] from pixels [B, c, H, W]."""
        padded = np.pad(pixels.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        windows = windows[:, :, :: self.stride, :: self.stride]
        scores: Array = np.einsum("bchwij,kcij->bkhw", windows, self.weight.astype(np.float64))
        return scores + self.bias[:, None, None]


def upsampled(scores: Array, height: int, width: int) -> Array:
    """Bilinear with half-pixel centres and clamped edges, written out."""
    for axis, length in ((2, height), (3, width)):
        had = scores.shape[axis]
        at = np.clip((np.arange(length) + 0.5) * had / length - 0.5, 0, had - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, had - 1)
        share = (at - low).reshape([-1 if a == axis else 1 for a in range(4)])
        scores = np.take(scores, low, axis) * (1 - share) + np.take(scores, high, axis) * share
    return scores


# -- how a graph wants it --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one graph takes pixels and answers.

    Attributes:
        form: as in the contract, or `labels` with its element type and rank beside it.
        answer_type, answer_rank: of a label map (or rank of a one-channel score).
        batch: None free, a number fixed; `baked` then writes it into a Reshape that nobody can
            free.
        size: None free, else (height, width).
        feed: None, or the shape of a further input that holds the biases: `scalar` (the first
            class alone), `vector`, `rows` (with a batch axis).
        logit_shift: added to a one-channel logit, and taken off by the threshold.
        opset, ir: of the file.
    """

    layout: str = "NCHW"
    output_layout: str = "NCHW"
    order: str = "RGB"
    dtype: str = "float32"
    value_range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    normalise: str = "after"
    form: str = "logits"
    answer_type: str = "float32"
    answer_rank: int = 4
    batch: int | None = None
    baked: bool = False
    size: tuple[int, int] | None = None
    feed: str | None = None
    logit_shift: float = 0.0
    opset: int = 17
    ir: int = 8

    def __str__(self) -> str:
        """Only what differs from the plainest dialect; the name of a test case."""
        plain = Dialect()
        said = [
            f"{name}={value}".replace(" ", "")
            for name, value in vars(self).items()
            if value != getattr(plain, name)
        ]
        return ",".join(said) or "plain"

    # -- pixels to the network's input, in NumPy --

    def network_values(self, pixels: Array) -> Array:
        """What the input holds for pixels [B, 3, H, W]: the contract's formula, in float64."""
        values = pixels.astype(np.float64)
        if self.order in ("BGR", "BGRA"):
            values = values[:, ::-1]
        if len(self.order) == 4 and self.order != "GRAY":
            values = np.concatenate([values, np.ones_like(values[:, :1])], axis=1)
        low, high = self.value_range
        mean = np.reshape(self.mean or (0.0,), (1, -1, 1, 1))
        std = np.reshape(self.std or (1.0,), (1, -1, 1, 1))
        if self.normalise == "before":
            values = low + (values - mean) / std * (high - low)
        else:
            values = (low + values * (high - low) - mean) / std
        if self.dtype in ("uint8", "int8"):
            limits = np.iinfo(self.dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        return values.astype(self.dtype).astype(np.float64)

    def undone(self) -> tuple[Array, Array]:
        """(factor, offset) per channel that lead from the network's unit back to pixels."""
        low, high = self.value_range
        mean = np.reshape(self.mean or (0.0,), (1, -1, 1, 1))
        std = np.reshape(self.std or (1.0,), (1, -1, 1, 1))
        if self.normalise == "before":
            return std / (high - low), mean - low * std / (high - low)
        return std / (high - low), (mean - low) / (high - low)

    def seen(self, pixels: Array) -> Array:
        """The pixels that really reach the function, RGB again: rounded where the type rounds."""
        factor, offset = self.undone()
        values = self.network_values(pixels) * factor + offset
        if len(self.order) == 4 and self.order != "GRAY":
            values = values[:, :3]
        return values[:, ::-1] if self.order in ("BGR", "BGRA") else values

    # -- the graph --

    def given(self, function: Conv3) -> dict[str, Any]:
        """The contract fields that a user has to say."""
        fields: dict[str, Any] = {"value_range": self.value_range, "output_form": self.form}
        if self.order not in ("RGB", "GRAY"):
            fields["channel_order"] = self.order
        if self.mean:
            fields |= {"mean": self.mean, "std": self.std, "normalise": self.normalise}
        if self.form == "labels":
            fields["classes"] = function.classes
        if self.logit_shift:
            fields["threshold"] = self.logit_shift
        if self.output_layout == "NHWC":
            fields["output_layout"] = "NHWC"
        if self.feed:
            bias = function.bias.tolist()
            fields["feeds"] = (("bias", bias[0] if self.feed == "scalar" else self._fed(bias)),)
        return fields

    def _fed(self, bias: list[float]) -> Any:
        return [[[b]] for b in bias] if self.feed == "rows" else bias

    def proto(self, function: Conv3) -> onnx.ModelProto:
        """The function as a graph of this dialect."""
        g = Graph()
        channels = function.weight.shape[1]
        value = "image"
        if self.layout == "NHWC":
            value = g.add("Transpose", value, perm=[0, 3, 1, 2])
        if self.dtype != "float32":
            value = g.add("Cast", value, to=TensorProto.FLOAT)
        factor, offset = self.undone()
        if (factor != 1).any():
            value = g.add("Mul", value, g.constant(factor, np.float32))
        if (offset != 0).any():
            value = g.add("Add", value, g.constant(offset, np.float32))
        weight = function.weight
        if self.order in ("BGR", "BGRA"):
            weight = weight[:, ::-1]
        if len(self.order) == 4 and self.order != "GRAY":
            weight = np.concatenate([weight, np.zeros_like(weight[:, :1])], axis=1)
        bias = np.zeros_like(function.bias) if self.feed else function.bias
        if self.feed == "scalar":
            bias = np.where(np.arange(function.classes) == 0, 0, function.bias)
        value = g.add(
            "Conv",
            value,
            g.constant(weight, np.float32),
            g.constant(bias, np.float32),
            pads=[1] * 4,
            strides=[function.stride] * 2,
        )
        inputs: dict[str, tuple[str, Shape]] = {}
        if self.feed == "scalar":
            first = np.zeros((1, function.classes, 1, 1))
            first[0, 0] = 1
            scaled = g.add("Mul", "bias", g.constant(first, np.float32))
            value = g.add("Add", value, scaled)
            inputs["bias"] = ("float32", [])
        elif self.feed == "vector":
            column = g.add("Reshape", "bias", g.constant([1, -1, 1, 1]))
            value = g.add("Add", value, column)
            inputs["bias"] = ("float32", [function.classes])
        elif self.feed == "rows":
            value = g.add("Add", value, "bias")
            inputs["bias"] = ("float32", ["batch", function.classes, 1, 1])
        value = self._answer(g, value)
        rows: int | str = self.batch or "batch"
        side = list(self.size or ("height", "width"))
        low = self._sides(function)
        if self.baked:
            assert isinstance(low[0], int)
            value = g.add("Reshape", value, g.constant([rows, *self._answer_axes(function, low)]))
        g.add("Identity", value, output="answer")
        network = 4 if len(self.order) == 4 and self.order != "GRAY" else channels
        shape = [rows, network, *side] if self.layout == "NCHW" else [rows, *side, network]
        answer_type = self.answer_type if self.form == "labels" else "float32"
        return g.model(
            {"image": (self.dtype, shape), **inputs},
            {"answer": (answer_type, [rows, *self._answer_axes(function, low)])},
            opset=self.opset,
            ir=self.ir,
        )

    def _sides(self, function: Conv3) -> list[Any]:
        if self.size is None:
            return ["height", "width"] if function.stride == 1 else ["h", "w"]
        return [-(-side // function.stride) for side in self.size]

    def _answer(self, g: Graph, value: str) -> str:
        """From scores [B, C, h, w] to the form, type, rank and layout of the answer."""
        match self.form:
            case "probabilities":
                value = g.add("Softmax", value, axis=1)
            case "multilabel":
                value = g.add("Sigmoid", value)
            case "labels":
                value = g.add("ArgMax", value, axis=1, keepdims=int(self.answer_rank == 4))
                if self.answer_type != "int64":
                    value = g.add("Cast", value, to=KINDS[self.answer_type])
            case "sigmoid" | "logit":
                difference = np.array([-1.0, 1.0]).reshape(1, 2, 1, 1)
                value = g.add("Conv", value, g.constant(difference, np.float32))
                if self.form == "sigmoid":
                    value = g.add("Sigmoid", value)
                elif self.logit_shift:
                    value = g.add("Add", value, g.constant(self.logit_shift, np.float32))
                if self.answer_rank == 3:
                    value = g.add("Squeeze", value, g.constant([1]))
        if self.output_layout == "NHWC" and self.answer_rank == 4:
            value = g.add("Transpose", value, perm=[0, 2, 3, 1])
        return value

    def _answer_axes(self, function: Conv3, low: list[Any]) -> list[Any]:
        if self.answer_rank == 3:
            return low
        channels = 1 if self.form in ("labels", "sigmoid", "logit") else function.classes
        return [*low, channels] if self.output_layout == "NHWC" else [channels, *low]


class Reference:
    """The function as a plain `Segmenter`, with the rounding of a dialect and nothing of ONNX."""

    def __init__(self, function: Conv3, dialect: Dialect) -> None:
        self.function, self.dialect = function, dialect
        self.classes = 2 if dialect.form == "multilabel" else function.classes
        self.margin = np.inf

    def __call__(self, batch: Array) -> npt.NDArray[np.int64]:
        scores = self.function.scores(self.dialect.seen(batch))
        height, width = batch.shape[2:]
        labels: npt.NDArray[np.int64]
        if self.function.stride > 1 and self.dialect.form == "labels":
            repeat = self.function.stride
            labels = scores.argmax(axis=1).repeat(repeat, axis=1).repeat(repeat, axis=2)
            return labels[:, :height, :width]
        scores = self._interpolated(scores, height, width)
        if self.dialect.form == "multilabel":
            self.margin = min(self.margin, float(np.abs(scores).min()))
            return (scores > 0).astype(np.int64)
        best = np.sort(scores, axis=1)
        self.margin = min(self.margin, float((best[:, -1] - best[:, -2]).min()))
        labels = scores.argmax(axis=1)
        return labels

    def _interpolated(self, scores: Array, height: int, width: int) -> Array:
        """What the answer holds at the picture's size, as scores whose largest is the label.

        A graph that ends in a sigmoid or softmax has its probabilities interpolated, not the
        logits they came from.
        """
        if self.function.stride == 1:
            return scores
        match self.dialect.form:
            case "multilabel":
                return upsampled(1 / (1 + np.exp(-scores)), height, width) - 0.5
            case "sigmoid":
                yes = 1 / (1 + np.exp(scores[:, :1] - scores[:, 1:]))
                yes = upsampled(yes, height, width)
                return np.concatenate([1 - yes, yes], axis=1)
            case "probabilities":
                scores = np.exp(scores - scores.max(axis=1, keepdims=True))
                scores /= scores.sum(axis=1, keepdims=True)
        return upsampled(scores, height, width)


# -- pictures --------------------------------------------------------------------------------------


def picture(height: int = 8, width: int = 6, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Smooth colours with a hard edge, float32 [3, height, width] in [0, 1], in steps of 1/255."""
    rng = np.random.default_rng(seed)
    corners = rng.random((1, 3, 2, 2))
    pixels = upsampled(corners, height, width)[0]
    pixels[:, :, width // 2 :] = 1 - pixels[:, :, width // 2 :]
    return (np.rint(pixels * 255) / 255).astype(np.float32)


def write_picture(path: Path, pixels: Array) -> Path:
    """Write [3, H, W] in [0, 1] as an 8-bit PNG."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8).transpose(1, 2, 0)).save(path)
    return path
