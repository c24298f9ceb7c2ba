"""One small function of points and its ONNX graphs in every dialect; models that mean something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from graphs import Graph, save

from onnxcert import OnnxSegmenter
from onnxcert._typing import IntArray

Array = npt.NDArray[Any]
Parts = tuple[tuple[str, tuple[int, ...]], ...]

#: Three categories of five parts together, in the order of the one-hot input.
CATEGORIES: Parts = (("chair", (0, 1)), ("lamp", (2, 3, 4)), ("rocket", (1, 4)))

BINARY = ("sigmoid", "logit", "multilabel")


def softmax(scores: Array) -> Array:
    exponent = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))


def sigmoid(scores: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-scores)))


@dataclass(frozen=True, eq=False)
class Network:
    """scores = W2 h + W3 max_i h + W4 one-hot + W5 (first point) + b of h = relu(W1 p), in float64.

    The first point counts as in networks that sample points from it on: `ordered` is its weight,
    and without it the function is permutation equivariant.
    """

    channels: int
    classes: int
    categories: int = 0
    ordered: float = 0.0
    seed: int = 0

    @cached_property
    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        rng, hidden = np.random.default_rng(self.seed), 12
        shapes = {
            "w1": (hidden, self.channels),
            "w2": (self.classes, hidden),
            "w3": (self.classes, hidden),
            "w4": (self.classes, max(1, self.categories)),
            "w5": (self.classes, self.channels),
            "b": (self.classes, 1),
        }
        scale = {"w3": 0.05, "b": 0.3}
        return {
            name: (scale.get(name, 1) * rng.normal(size=shape)).astype(np.float32)
            for name, shape in shapes.items()
        }

    def scores(self, points: Array, categories: IntArray | None = None) -> npt.NDArray[np.float64]:
        """Scores [B, C, N] of points [B, c, N]."""
        w = {name: value.astype(np.float64) for name, value in self.weights.items()}
        p = points.astype(np.float64)
        h = np.maximum(w["w1"] @ p, 0)
        found = w["w2"] @ h + w["w3"] @ h.max(axis=2, keepdims=True) + w["b"]
        if categories is not None:
            found = found + w["w4"].T[categories][:, :, None]
        return np.asarray(found + self.ordered * (w["w5"] @ p[:, :, :1]))


@dataclass(frozen=True)
class Dialect:
    """How a file speaks of the network.

    Attributes:
        layout, output_layout, dtype: as in the contract.
        batch, points: a number where the axis is fixed, None where it is free.
        form: `logits`, `probabilities`, `log-probabilities`, `labels`, `sigmoid`, `logit` or
            `multilabel`.
        rank: axes of the output: 3, or 2 for [B, N]; a classifier has 2.
        task: as in the contract; a classifier scores by the mean over the points.
        category: shape of the one-hot input: empty for none, `BK`, `B1K` or `BK1`.
        free: whether axes of the category's input are free.
        told: whether the metadata carry the contract, or flags do.
        named: whether the axes of points of input and output have the same name.
    """

    channels: str = "xyz"
    layout: str = "BCN"
    output_layout: str = "BCN"
    dtype: str = "float32"
    batch: int | None = None
    points: int | None = None
    form: str = "logits"
    rank: int = 3
    task: str = "segmentation"
    category: str = ""
    free: bool = False
    told: bool = False
    named: bool = True

    def __str__(self) -> str:
        parts = [
            self.channels,
            self.layout,
            self.output_layout,
            self.dtype,
            f"batch{self.batch or 'free'}",
            f"N{self.points or 'free'}",
            f"{self.form}{self.rank}",
            "classifier" * (self.task == "classification"),
            f"{self.category}{'free' * self.free}",
            "metadata" if self.told else "flags",
            "" if self.named else "nameless",
        ]
        return "-".join(filter(None, parts))

    @property
    def features(self) -> int:
        return 2 if "features" in self.channels else 0

    @property
    def values(self) -> int:
        """Values of a point."""
        return (6 if "normals" in self.channels else 3) + self.features

    def _fields(self) -> dict[str, Any]:
        """What nothing but a person can know."""
        found: dict[str, Any] = {}
        if self.features:
            found["channels"] = self.channels
        if not self.named and self.layout == "BNC":
            found["layout"] = self.layout
        if self.form in ("sigmoid", "logit", "multilabel"):
            found["output_form"] = self.form
        if self.form == "multilabel":
            found["threshold"] = 0.5
        if self.form == "labels":
            found["classes"] = 5
        if self.rank == 3 and not self.named:
            found["output_layout"] = self.output_layout
        return found

    def given(self, categories: Parts = ()) -> dict[str, Any]:
        """Flags, where the metadata do not say it."""
        if self.told:
            return {}
        more: dict[str, Any] = {"categories": categories} if categories else {}
        if self.category:
            more["feeds"] = (("label", "category"),)
        return {**self._fields(), **more}

    def metadata(self, categories: Parts = ()) -> dict[str, Any] | None:
        """The contract in the file."""
        if not self.told:
            return None
        more: dict[str, Any] = {"features": self.features} if self.features else {}
        if categories:
            more["categories"] = [[name, list(parts)] for name, parts in categories]
        if self.category:
            more["category_input"] = "label"
        return {"medium": "points", **self._fields(), **more}

    def proto(self, network: Network, categories: Parts = (), **more: Any) -> onnx.ModelProto:
        """The file; `more` are further fields of its contract."""
        g = Graph()
        batch: int | str = self.batch or "batch"
        many: int | str = self.points or "points"
        out_many = many if self.named else "n"
        first = self.layout == "BCN"
        shape = [batch, self.values, many] if first else [batch, many, self.values]
        inputs: dict[str, tuple[str, Any]] = {"cloud": (self.dtype, shape)}
        w = {name: g.constant(value, np.float32) for name, value in network.weights.items()}
        points = g.add("Cast", "cloud", to=1)
        if not first:
            points = g.add("Transpose", points, perm=[0, 2, 1])
        h = g.add("Relu", g.add("MatMul", w["w1"], points))
        best = g.add("ReduceMax", h, axes=[2], keepdims=1)
        scores = g.add("Add", g.add("MatMul", w["w2"], h), g.add("MatMul", w["w3"], best))
        scores = g.add("Add", scores, w["b"])
        if network.ordered:
            start = g.add("Slice", points, *(g.constant([k]) for k in (0, 1, 2)))
            weight = g.constant(network.weights["w5"] * network.ordered, np.float32)
            scores = g.add("Add", scores, g.add("MatMul", weight, start))
        if self.category:
            k: int | str = "k" if self.free else network.categories
            axes = {"BK": [batch, k], "B1K": [batch, 1, k], "BK1": [batch, k, 1]}[self.category]
            inputs["label"] = ("float32", axes)
            # Brought to [B, K, 1] by what takes no other shape.
            hot = "label"
            if self.category == "BK":
                hot = g.add("Unsqueeze", hot, g.constant([2]))
            elif self.category == "B1K":
                hot = g.add("Transpose", hot, perm=[0, 2, 1])
            scores = g.add("Add", scores, g.add("MatMul", w["w4"], hot))
        kind = "float32"
        channels = network.classes
        if self.task == "classification":
            scores = g.add("ReduceMean", scores, axes=[2], keepdims=0)
        match self.form:
            case "probabilities":
                scores = g.add("Softmax", scores, axis=1)
            case "log-probabilities":
                scores = g.add("LogSoftmax", scores, axis=1)
            case "multilabel" | "sigmoid":
                scores = g.add("Sigmoid", scores)
            case "labels":
                scores, kind, channels = g.add("ArgMax", scores, axis=1), "int64", 1
        full: list[Any] = [batch, channels, out_many]
        if self.task == "classification":
            full = [batch, channels]
        elif self.rank == 2:
            scores, full = g.add("Squeeze", scores, g.constant([1])), [batch, out_many]
        elif self.output_layout == "BNC":
            scores, full = g.add("Transpose", scores, perm=[0, 2, 1]), [batch, out_many, channels]
        g.add("Identity", scores, output="parts")
        contract = self.metadata(categories)
        if more:
            contract = {**(contract or {"medium": "points"}), **more}
        return g.model(inputs, {"parts": (kind, full)}, contract=contract)


@dataclass
class Reference:
    """`network` as a callable on x [B, c, N], written out in NumPy: what a dialect must answer.

    Attributes:
        margin: how close any decision was, in the scores that are compared.
    """

    network: Network
    dialect: Dialect = Dialect()
    categories: Parts = ()
    restricted: bool = False
    orders: IntArray | None = None
    margin: float = np.inf

    @property
    def classes(self) -> int:
        return 2 if self.dialect.form in BINARY else self.network.classes

    def raw(self, batch: Array) -> npt.NDArray[np.float64]:
        """Scores, in the form that the file gives them, the mean of all passes."""
        values = self.dialect.values
        points, which = batch[:, :values], None
        points = points.astype(np.dtype(self.dialect.dtype))
        if self.dialect.category:
            which = batch[:, values, 0].astype(np.int64)
        orders = self.orders if self.orders is not None else np.arange(batch.shape[2])[None]
        total = np.zeros(())
        for order in orders:
            scores = self.network.scores(points[:, :, order], which)
            if self.dialect.task == "classification":
                scores = scores.mean(axis=2, keepdims=True)
            match self.dialect.form:
                case "probabilities":
                    scores = softmax(scores)
                case "log-probabilities":
                    scores = np.log(softmax(scores))
                case "multilabel" | "sigmoid":
                    scores = sigmoid(scores)
            own = np.empty_like(scores)
            own[:, :, order if scores.shape[2] > 1 else [0]] = scores
            total = total + own
        return np.asarray(total / len(orders))

    def __call__(self, batch: Array) -> IntArray:
        scores = self.raw(batch)
        if self.dialect.form in BINARY:
            level = 0.0 if self.dialect.form == "logit" else 0.5
            self.margin = min(self.margin, float(np.abs(scores - level).min()))
            labels = (scores > level).astype(np.int64)
            if self.dialect.form != "multilabel":
                labels = labels[:, 0]
            return labels[..., 0] if self.dialect.task == "classification" else labels
        if self.restricted:
            last = batch[:, -1, 0].astype(np.int64)
            for row, which in enumerate(last):
                ruled_out = np.ones(self.network.classes, np.bool_)
                ruled_out[list(self.categories[which][1])] = False
                scores[row, ruled_out] = -np.inf
        ranked = np.sort(scores, axis=1)
        self.margin = min(self.margin, float((ranked[:, -1] - ranked[:, -2]).min()))
        return np.asarray(scores.argmax(axis=1))


# -- models that mean something ------------------------------------------------------------------


def linear(
    weight: npt.ArrayLike,
    bias: npt.ArrayLike = 0.0,
    *,
    points: int | None = None,
    contract: Mapping[str, Any] | None = None,
    batch: int | str = "batch",
) -> onnx.ModelProto:
    """Scores [B, C, N] = weight [C, c] x + bias of `cloud` [B, c, N], each point by itself."""
    w = np.atleast_2d(np.asarray(weight, np.float32))
    b = np.broadcast_to(np.asarray(bias, np.float32), len(w)).reshape(-1, 1)
    g = Graph()
    raw = g.add("MatMul", g.constant(w, np.float32), "cloud")
    g.add("Add", raw, g.constant(b, np.float32), output="parts")
    many = points or "points"
    return g.model(
        {"cloud": ("float32", [batch, w.shape[1], many])},
        {"parts": ("float32", [batch, len(w), many])},
        contract=None if contract is None else {"medium": "points", **contract},
    )


def halves(
    *, axis: int = 0, channels: int = 3, level: float = 0.0, **options: Any
) -> onnx.ModelProto:
    """Class 1 where the coordinate `axis` exceeds `level`, class 0 elsewhere."""
    weight = np.zeros((2, channels))
    weight[1, axis] = 1.0
    return linear(weight, [0.0, -level], **options)


def of_category(categories: Sequence[str] = ("chair", "lamp", "rocket")) -> onnx.ModelProto:
    """The part of a point is the number of the shape's category, or one more above the middle."""
    k = len(categories)
    g = Graph()
    hot = g.add("Transpose", g.add("Unsqueeze", "label", g.constant([1])), perm=[0, 2, 1])
    own = g.add("MatMul", g.constant(10 * np.eye(k + 1, k), np.float32), hot)
    more = g.add("MatMul", g.constant(10 * np.eye(k + 1, k, -1), np.float32), hot)
    height = g.add("MatMul", g.constant([[0.0, 0.0, 1.0]], np.float32), "cloud")
    high = g.add("Cast", g.add("Greater", height, g.constant(0.0, np.float32)), to=1)
    g.add("Add", own, g.add("Mul", g.add("Sub", more, own), high), output="parts")
    return g.model(
        {"cloud": ("float32", ["batch", 3, "points"]), "label": ("float32", ["batch", k])},
        {"parts": ("float32", ["batch", k + 1, "points"])},
        contract={
            "medium": "points",
            "categories": [[name, [i, i + 1]] for i, name in enumerate(categories)],
            "category_input": "label",
        },
    )


def ball(points: int = 60, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Points [N, 3] in the unit ball, one of them far out so that the extent is known."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(points, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(directions * rng.uniform(0.2, 1, (points, 1)), np.float32)


def write_shape(path: Path, *, many: int = 60, seed: int = 0, **more: Any) -> Path:
    """A cloud as .npz with labels 0 below and 1 above the middle; `more` replaces arrays."""
    xyz = ball(many, seed=seed)
    arrays = {"points": xyz, "labels": (xyz[:, 0] > xyz[:, 0].mean()).astype(np.int64), **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def opened(
    network: Network, folder: Path, dialect: Dialect | None = None, **more: Any
) -> OnnxSegmenter:
    """Open the network in `dialect`; `more` are fields of its contract."""
    dialect = dialect or Dialect()
    categories = CATEGORIES if dialect.category else ()
    path = save(dialect.proto(network, categories), folder / "model.onnx")
    return OnnxSegmenter.open(
        path, threads=1, **{"frame": "own", **dialect.given(categories), **more}
    )
