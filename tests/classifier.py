"""One small classifier in every dialect: linear in the mean colour, so that all about it is known.

With the margin m(x) = w . mean(x) - level of class 1 over class 0, and e ~ N(0, sigma^2 I) on a
picture of H x W pixels, m(x + e) is normal with mean m(x) and standard deviation sigma |g|,
|g| = |w| / sqrt(H W). So P(class 1) = Phi(m(x) / (sigma |g|)), and since the smoothed classifier
parts space by a plane, the L2 distance to another class is exactly |m(x)| / |g|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from graphs import KINDS, Graph
from onnx import TensorProto

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class MeanColour:
    """Scores of each class: weight [classes, 3] times the mean colour, plus bias [classes]."""

    weight: tuple[tuple[float, ...], ...] = ((0.0, 0.0, 0.0), (1.0, 0.5, 0.25))
    bias: tuple[float, ...] = (0.0, -0.875)

    @property
    def classes(self) -> int:
        return len(self.bias)

    def scores(self, pixels: Array) -> Array:
        """[B, C] from pixels [B, 3, H, W]; float64."""
        means = pixels.astype(np.float64).mean(axis=(2, 3))
        scores: Array = means @ np.array(self.weight).T + np.array(self.bias)
        return scores

    def margin(self, picture: Array) -> float:
        """Score of class 1 above that of class 0 for one picture [3, H, W]."""
        low, high = self.scores(picture[None])[0, :2]
        return float(high - low)

    def distance(self, picture: Array) -> float:
        """L2 distance from the picture to where the two classes tie."""
        slope = np.linalg.norm(np.subtract(self.weight[1], self.weight[0]))
        slope /= np.sqrt(picture[0].size)
        return abs(self.margin(picture)) / float(slope)


THREE = MeanColour(((4.0, -1.0, -1.0), (-1.0, 4.0, -1.0), (-1.0, -1.0, 4.0)), (-0.6, -0.6, -0.6))


@dataclass(frozen=True, kw_only=True)
class ClassifierDialect:
    """How one graph takes pictures and answers.

    Attributes:
        rank: of the answer; 4 ends in a 1 x 1 map, 1 lacks the axis of classes.
        batch: None free, else fixed; `baked` into a Reshape that nobody can free.
        size: None free, else (height, width).
        silent: nothing is said about the shape of the answer.
    """

    layout: str = "NCHW"
    output_layout: str = "NCHW"
    form: str = "logits"
    answer_type: str = "float32"
    rank: int = 2
    batch: int | None = None
    baked: bool = False
    size: tuple[int, int] | None = None
    silent: bool = False

    def __str__(self) -> str:
        plain = vars(ClassifierDialect())
        said = [f"{k}={v}".replace(" ", "") for k, v in vars(self).items() if v != plain[k]]
        return ",".join(said) or "plain"

    def given(self, function: MeanColour) -> dict[str, Any]:
        """What a user has to say."""
        fields: dict[str, Any] = {"value_range": (0.0, 1.0)}
        if self.form in ("sigmoid", "logit", "multilabel", "labels"):
            fields["output_form"] = self.form
        if self.form == "labels":
            fields["classes"] = function.classes
        return fields

    def proto(self, function: MeanColour) -> onnx.ModelProto:
        """The function as a graph of this dialect."""
        g = Graph()
        value = "image"
        if self.layout == "NHWC":
            value = g.add("Transpose", value, perm=[0, 3, 1, 2])
        value = g.add("GlobalAveragePool", value)
        if self.baked:
            value = g.add("Reshape", value, g.constant([self.batch, 3]))
        else:
            value = g.add("Flatten", value)
        value = g.add(
            "Gemm",
            value,
            g.constant(function.weight, np.float32),
            g.constant(function.bias, np.float32),
            transB=1,
            output="" if self.form != "logits" or self.rank == 4 or not self.silent else "answer",
        )
        match self.form:
            case "probabilities":
                value = g.add("Softmax", value, axis=1)
            case "multilabel":
                value = g.add("Sigmoid", value)
            case "sigmoid" | "logit":
                difference = g.constant([[-1.0], [1.0]], np.float32)
                value = g.add("MatMul", value, difference)
                if self.form == "sigmoid":
                    value = g.add("Sigmoid", value)
            case "labels":
                value = g.add("ArgMax", value, axis=1, keepdims=1)
                if self.answer_type != "int64":
                    value = g.add("Cast", value, to=KINDS[self.answer_type])
        many: Any = 1 if self.form in ("sigmoid", "logit", "labels") else function.classes
        axes: list[Any] = [self.batch or "batch", many]
        if self.rank == 1:
            value, axes = g.add("Squeeze", value, g.constant([1])), axes[:1]
        elif self.rank == 4:
            value = g.add("Unsqueeze", value, g.constant([2, 3]))
            axes += [1, 1]
            if self.output_layout == "NHWC":
                value = g.add("Transpose", value, perm=[0, 2, 3, 1])
                axes = [axes[0], 1, 1, many]
        if value != "answer":
            g.add("Identity", value, output="answer")
        side: list[Any] = list(self.size or ("height", "width"))
        rows = self.batch or "batch"
        shape = [rows, 3, *side] if self.layout == "NCHW" else [rows, *side, 3]
        kind = self.answer_type if self.form == "labels" else "float32"
        answer = (kind, None if self.silent else axes)
        return g.model({"image": ("float32", shape)}, {"answer": answer})


def leaking(share: float = 0.5) -> onnx.ModelProto:
    """A classifier from whose scores a share of the batch's variation is taken.

    The scores of class 0 are far above the others, so that no label of a probe changes.
    """
    g = Graph()
    value = g.add("Flatten", g.add("GlobalAveragePool", "image"))
    mean = g.add("ReduceMean", value, axes=[0], keepdims=1)
    value = g.add("Sub", value, g.add("Mul", mean, g.constant(share, np.float32)))
    g.add("Add", value, g.constant([5.0, 0.0, 0.0], np.float32), output="answer")
    shape = ["batch", 3, "height", "width"]
    return g.model({"image": ("float32", shape)}, {"answer": ("float32", ["batch", 3])})


def poisoned(value: float) -> onnx.ModelProto:
    """A classifier whose first score is `value` where the picture's mean red exceeds 1/2."""
    g = Graph()
    means = g.add("Flatten", g.add("GlobalAveragePool", "image"))
    parts = [g.constant([i]) for i in (0, 1, 1)]
    red = g.add("Slice", means, *parts)
    hot = g.add("Greater", red, g.constant(0.5, np.float32))
    bad = g.add("Where", hot, g.constant(value, np.float32), g.constant(0.0, np.float32))
    g.add("Concat", bad, means, axis=1, output="answer")
    shape = ["batch", 3, "height", "width"]
    return g.model({"image": ("float32", shape)}, {"answer": ("float32", ["batch", 4])})


def with_a_label_map(proto: onnx.ModelProto) -> onnx.ModelProto:
    """`proto` with a second output, scores of each pixel."""
    node = onnx.helper.make_node("Identity", ["image"], ["map"], name="map")
    proto.graph.node.append(node)
    shape = ["batch", 3, "height", "width"]
    info = onnx.helper.make_tensor_value_info("map", TensorProto.FLOAT, shape)
    proto.graph.output.append(info)
    return proto
