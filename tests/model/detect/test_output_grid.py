"""Scores belong to the pixels by one whole step along both axes; any other grid is refused."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from graphs import Graph, save

from onnxcert import OnnxSegmenter
from onnxcert.errors import OnnxcertError
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model

CPU: dict[str, Any] = {"device": "cpu", "threads": 1}
UNIT: dict[str, Any] = {"value_range": (0.0, 1.0)}
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Border:
    """Rows and columns that are cut off, or added on; (top, left, bottom, right)."""

    padded: bool
    sides: tuple[int, int, int, int]


@dataclass(frozen=True)
class Step:
    """A whole number by which height and width are divided, or multiplied."""

    step: int
    up: bool = False
    rounded_up: bool = False


FORMS = ("NCHW", "NHWC", "sigmoid", "labels")
SHAPES: dict[str, list[Any]] = {
    "NCHW": ["n", 4, "h", "w"],
    "NHWC": ["n", "h", "w", 4],
    "sigmoid": ["n", "h", "w"],
    "labels": ["n", "h", "w"],
}


def net(form: str, change: Border | Step | None, seed: int, size: Any = ("a", "b")) -> Any:
    """Scores of a convolution on another grid than the input's, in one of the forms."""
    g, rng = Graph(), np.random.default_rng(seed)
    channels = 1 if form == "sigmoid" else 4
    weight = rng.normal(size=(channels, 3, 3, 3))
    weight -= weight.mean(axis=(1, 2, 3), keepdims=True)
    value = g.add("Conv", "image", g.constant(weight, np.float32), pads=[1] * 4)
    match change:
        case Border(padded=True, sides=(top, left, bottom, right)):
            pads = g.constant([0, 0, top, left, 0, 0, bottom, right])
            value = g.add("Pad", value, pads)
        case Border(padded=False, sides=(top, left, bottom, right)):
            ends = [[-n if n else 9999 for n in (bottom, right)], [2, 3]]
            value = g.add("Slice", value, *(g.constant(v) for v in ([top, left], *ends)))
        case Step(up=True, step=step):
            factors = g.constant([1, 1, step, step], np.float32)
            value = g.add("Resize", value, "", factors, mode="nearest")
        case Step(step=step):
            pool: dict[str, Any] = {"kernel_shape": [step] * 2, "strides": [step] * 2}
            value = g.add("AveragePool", value, **pool, ceil_mode=int(change.rounded_up))
    match form:
        case "NHWC":
            value = g.add("Transpose", value, perm=[0, 2, 3, 1])
        case "sigmoid":
            value = g.add("Squeeze", g.add("Sigmoid", value), g.constant([1]))
        case "labels":
            value = g.add("ArgMax", value, axis=1, keepdims=0)
    g.add("Identity", value, output="answer")
    kind = "int64" if form == "labels" else "float32"
    return g.model(
        {"image": ("float32", ["n", 3, *size])}, {"answer": (kind, SHAPES[form])}, opset=17
    )


def bare(proto: onnx.ModelProto, picture: Array) -> Array:
    """What the file answers, under the bare runtime, channels first and without a batch axis."""
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    answer: Array = session.run(None, {"image": picture[None]})[0][0]
    return answer


def along(values: Array, axis: int, length: int) -> Array:
    """Values between their neighbours along an axis, pixel centres at halves."""
    many = values.shape[axis]
    place = np.clip((np.arange(length) + 0.5) * many / length - 0.5, 0, many - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, many - 1)
    share = (place - low).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    below, above = (np.take(values.astype(float), i, axis=axis) for i in (low, high))
    mixed: Array = below * (1 - share) + above * share
    return mixed


def nearest(many: int, length: int) -> tuple[Array, Array]:
    """Index of the value nearest to each place; both where two are equally near."""
    place = (np.arange(length) + 0.5) * many / length - 1
    low, high = (np.clip(np.ceil(place + e), 0, many - 1).astype(int) for e in (-1e-4, 1e-4))
    return low, high


def reference(form: str, answer: Array, grid: tuple[int, int]) -> tuple[Array, Array]:
    """The labels, and where nothing but rounding decides them."""
    if form == "labels":
        ways = itertools.product(*map(nearest, answer.shape, grid))
        found = np.stack([answer[np.ix_(*way)] for way in ways])
        return found[0], (found != found[0]).any(axis=0)
    scores = np.moveaxis(answer, -1, 0) if form == "NHWC" else answer
    scores = along(along(scores, scores.ndim - 2, grid[0]), scores.ndim - 1, grid[1])
    if form == "sigmoid":
        return (scores > 0.5).astype(int), np.abs(scores - 0.5) < 1e-5
    first, second = np.sort(scores, axis=0)[:-3:-1]
    return scores.argmax(axis=0), first - second < 1e-5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(8))
def test_a_whole_step_is_taken_and_the_labels_are_those_of_the_plain_scores(
    form: str, seed: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng([seed, len(form)])
    step = Step(int(rng.integers(2, 9)), up=seed % 4 == 3, rounded_up=seed % 2 == 0)
    proto = net(form, step, seed)
    path = save(proto, tmp_path / "model.onnx")
    assert detect(read_model(path), UNIT, thorough=True).answer_rank == len(SHAPES[form])
    segmenter = OnnxSegmenter.open(path, **UNIT, **CPU)
    for _ in range(3):  # sizes of one model, one after the other
        height, width = (int(n) for n in rng.integers(10, 40, 2))
        picture = rng.random((3, height, width), dtype=np.float32)
        expected, open_ = reference(form, bare(proto, picture), (height, width))
        labels = segmenter(picture[None])[0]
        np.testing.assert_array_equal(labels[~open_], expected[~open_])
        assert open_.mean() < 0.5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("padded", [False, True], ids=["cropped", "padded"])
@pytest.mark.parametrize("fixed", [False, True], ids=["free", "fixed"])
@pytest.mark.parametrize("seed", range(5))
def test_any_border_is_refused_by_a_run_and_by_inspect(
    form: str, padded: bool, fixed: bool, seed: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng([seed, padded, fixed])
    height, width = (int(n) for n in rng.integers(12, 40, 2))
    sides = [int(n) for n in rng.integers(0, 3, 4)]
    sides[seed % 4] += 1
    border = Border(padded, (sides[0], sides[1], sides[2], sides[3]))
    size = (height, width) if fixed else ("a", "b")
    path = save(net(form, border, seed, size), tmp_path / "model.onnx")
    picture = rng.random((1, 3, height, width), dtype=np.float32)
    with pytest.raises(OnnxcertError) as run:
        OnnxSegmenter.open(path, **UNIT, **CPU)(picture)
    with pytest.raises(OnnxcertError) as inspected:
        detect(read_model(path), UNIT, thorough=True)
    for error in (run, inspected):
        text = str(error.value)
        assert "neither those of the input" in text
        assert "export the model with padding" in text
        assert text.count(". ") == 0
        assert text.endswith(".")


@pytest.mark.parametrize(
    "fit",
    [Fit(pad_to=8), Fit(scale=0.5), Fit(size=(24, 16)), Fit(tile=(8, 8)), Fit(flip=True),
     Fit(grid="model")],
    ids=lambda fit: str(fit.as_dict()),
)  # fmt: skip
def test_the_grid_that_counts_is_what_the_network_sees(fit: Fit, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).random((1, 3, 20, 28), dtype=np.float32)
    cropped = save(net("NCHW", Border(False, (1, 1, 1, 1)), 0), tmp_path / "cropped.onnx")
    with pytest.raises(OnnxcertError, match="neither those of the input"):
        OnnxSegmenter.open(cropped, fit=fit, **UNIT, **CPU)(picture)
    coarse = save(net("NCHW", Step(2), 0), tmp_path / "coarse.onnx")
    segmenter = OnnxSegmenter.open(coarse, fit=fit, **UNIT, **CPU)
    assert segmenter(picture).shape == (1, *((10, 14) if fit.grid == "model" else (20, 28)))


def test_every_new_size_is_checked(tmp_path: Path) -> None:
    """A crop to 16 rows at most, which shows from the first larger picture on."""
    g = Graph()
    weight = np.random.default_rng(0).normal(size=(4, 3, 1, 1)).astype(np.float32)
    value = g.add("Conv", "image", g.constant(weight, np.float32))
    g.add("Slice", value, *(g.constant([n]) for n in (0, 16, 2)), output="answer")
    proto = g.model(
        {"image": ("float32", ["n", 3, "a", "b"])}, {"answer": ("float32", SHAPES["NCHW"])}
    )
    segmenter = OnnxSegmenter.open(save(proto, tmp_path / "model.onnx"), **UNIT, **CPU)
    assert segmenter(np.zeros((1, 3, 16, 20), np.float32)).shape == (1, 16, 20)
    with pytest.raises(OnnxcertError, match="neither those of the input"):
        segmenter(np.zeros((1, 3, 18, 20), np.float32))


@pytest.mark.parametrize("axis", [2, 3])
def test_an_axis_that_was_averaged_away_is_refused(axis: int, tmp_path: Path) -> None:
    g = Graph()
    weight = np.random.default_rng(0).normal(size=(4, 3, 1, 1)).astype(np.float32)
    value = g.add("Conv", "image", g.constant(weight, np.float32))
    g.add("ReduceMean", value, axes=[axis], keepdims=1, output="answer")
    proto = g.model(
        {"image": ("float32", ["n", 3, "a", "b"])}, {"answer": ("float32", SHAPES["NCHW"])}
    )
    path = save(proto, tmp_path / "model.onnx")
    given = {**UNIT, "output_layout": "NCHW"}
    with pytest.raises(OnnxcertError, match="neither those of the input"):
        OnnxSegmenter.open(path, **given, **CPU)(np.zeros((1, 3, 8, 12), np.float32))
    with pytest.raises(OnnxcertError, match="neither those of the input"):
        detect(read_model(path), given, thorough=True)
