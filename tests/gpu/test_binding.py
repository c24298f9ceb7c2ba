"""A model bound to a device answers as the plain session does, for the noise that it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import foreign_outputs
import graphs
import numpy as np
import pointgraphs
import pytest
import zoo
from refusals import one_sentence

from onnxcert import Gaussian, OnnxSegmenter
from onnxcert.errors import ModelError
from onnxcert.model.adapter.resize import Fit
from onnxcert.perturbation import OnChannels
from onnxcert.sampling import Count, run_draws, sample
from onnxcert.sampling.backend import NUMPY, DeviceBackend
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.kernels import Scores

CONV = zoo.Conv3.random(4, seed=3)
X = zoo.picture(8, 12, seed=5)
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
PLAIN = zoo.Dialect()


def plain_tally(path: Path, x: Any, draws: Draws, backend: DeviceBackend, n: int, **o: Any) -> Any:
    """The draws of the device, run by a plain session on the CPU and counted by NumPy."""
    model = OnnxSegmenter.open(path, device="cpu", threads=1, **o)
    noisy = backend.inputs(n, x.shape)
    draws.write(backend.device(x), range(n), noisy, backend)
    labels = model(np.ascontiguousarray(backend.host(noisy)))
    count = Count(draws, n, 5, "pooled", model.classes)
    count.add(labels[:5])
    count.add(labels[5:])
    return count.tally()


DIALECTS = [
    zoo.Dialect(),
    zoo.Dialect(layout="NHWC", output_layout="NHWC", order="BGR"),
    zoo.Dialect(dtype="float16", value_range=(0, 255), layout="NHWC"),
    zoo.Dialect(order="BGR", **IMAGENET),  # type: ignore[arg-type]
    zoo.Dialect(mean=(0.5, 0.4, 0.3), std=(1.0, 1.0, 1.0)),
    zoo.Dialect(order="RGBA"),
    zoo.Dialect(order="GRAY"),
    zoo.Dialect(dtype="uint8", value_range=(0, 255)),
    zoo.Dialect(form="sigmoid"),
    zoo.Dialect(form="logit", logit_shift=0.4),
    zoo.Dialect(form="probabilities", output_layout="NHWC"),
    zoo.Dialect(form="multilabel"),
    zoo.Dialect(form="labels", answer_type="int64"),
    zoo.Dialect(batch=3),
    zoo.Dialect(batch=3, baked=True, size=(8, 12)),
    zoo.Dialect(feed="rows"),
]


def written(folder: Path, dialect: zoo.Dialect) -> tuple[Path, dict[str, Any]]:
    classes = 2 if dialect.form in ("sigmoid", "logit") else 4
    channels = 1 if dialect.order == "GRAY" else 3
    function = zoo.Conv3.random(classes, channels, seed=3)
    return graphs.save(dialect.proto(function), folder / "model.onnx"), dialect.given(function)


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_tally_is_that_of_a_plain_session(
    tmp_path: Path, backend: DeviceBackend, opened: Any, dialect: zoo.Dialect, batch_size: int
) -> None:
    path, given = written(tmp_path, dialect)
    x = X[:1] if dialect.order == "GRAY" else X
    model = opened(path, **given)
    assert model.backend is backend
    draws = Draws(Gaussian(0.2), 5, digest(x), backend.generator)
    model(x[None])
    count = Count(draws, 18, 5, "pooled", model.classes, backend=backend)
    found = sample(model, x, count, batch_size=batch_size)
    expected = plain_tally(path, x, draws, backend, 18, **given)
    on_gpu = backend.of.place[0] == "cuda"
    differ = np.mean(found.hits != expected.hits)
    # A GPU's convolutions round otherwise, or in fewer bits (TF32), which turns votes on the edge.
    assert differ <= (0.02 if on_gpu else 0.0)
    assert found.nonfinite == expected.nonfinite


@pytest.mark.parametrize(
    ("dialect", "own", "scores"),
    [
        (zoo.Dialect(), True, True),
        (zoo.Dialect(dtype="float16", layout="NHWC", order="BGR"), True, True),
        (zoo.Dialect(order="RGBA"), False, True),
        (zoo.Dialect(dtype="uint8", value_range=(0, 255)), False, True),
        (zoo.Dialect(form="multilabel"), True, False),
        (zoo.Dialect(form="labels", answer_type="int64"), True, False),
    ],
    ids=str,
)
def test_what_kernels_can_do_is_left_out_of_the_graph(
    tmp_path: Path, opened: Any, dialect: zoo.Dialect, own: bool, scores: bool
) -> None:
    path, given = written(tmp_path, dialect)
    model = opened(path, **given)
    segment, writing = model.bind(X, Gaussian(0.2), model.backend)
    buffer = writing.inputs(2, X.shape)
    assert (buffer.dtype == np.dtype(dialect.dtype)) == (own or dialect.dtype == "float32")
    writing.noise(0, digest(X), range(2)).add_normal(writing.device(X), np.float32(0.2), buffer)
    assert isinstance(segment(buffer), Scores) == scores
    channels = buffer.strides[1] == buffer.itemsize
    assert channels == (own and dialect.layout == "NHWC")


@pytest.mark.parametrize(
    "fit",
    [
        Fit(),
        Fit(scale=0.5),
        Fit(size=(16, 16)),
        Fit(pad_to=16),
        Fit(grid="model"),
        Fit(flip=True),
        Fit(scales=(0.5, 1.0)),
    ],
    ids=lambda fit: str(fit.as_dict()),
)
@pytest.mark.parametrize("stride", [1, 2])
def test_every_fit_counts_as_a_plain_session_does(
    tmp_path: Path, backend: DeviceBackend, opened: Any, fit: Fit, stride: int
) -> None:
    function = zoo.Conv3.random(4, seed=3, stride=stride)
    path = graphs.save(PLAIN.proto(function), tmp_path / "model.onnx")
    given = PLAIN.given(function)
    model = opened(path, fit=fit, **given)
    draws = Draws(Gaussian(0.2), 5, digest(X), backend.generator)
    model(X[None])
    count = Count(draws, 12, 5, "pooled", 4, backend=backend)
    found = sample(model, X, count, batch_size=4)
    expected = plain_tally(path, X, draws, backend, 12, fit=fit, **given)
    on_gpu = backend.of.place[0] == "cuda"
    assert np.mean(found.hits != expected.hits) <= (0.02 if on_gpu else 0.0)


def test_noise_on_some_channels_reaches_the_network_as_it_should(
    tmp_path: Path, backend: DeviceBackend, opened: Any
) -> None:
    dialect = zoo.Dialect(order="BGR", layout="NHWC", **IMAGENET)  # type: ignore[arg-type]
    path, given = written(tmp_path, dialect)
    draws = Draws(OnChannels(Gaussian(0.4), 0, 2), 5, digest(X), backend.generator)
    model = opened(path, **given)
    model(X[None])
    found = sample(model, X, Count(draws, 12, 5, "pooled", 4, backend=backend), batch_size=5)
    expected = plain_tally(path, X, draws, backend, 12, **given)
    on_gpu = backend.of.place[0] == "cuda"
    assert np.mean(found.hits != expected.hits) <= (0.02 if on_gpu else 0.0)


def test_points_are_counted_on_the_device(
    tmp_path: Path, backend: DeviceBackend, opened: Any
) -> None:
    path = graphs.save(pointgraphs.linear(np.eye(3)), tmp_path / "model.onnx")
    x = pointgraphs.ball(40).T.copy()
    model = opened(path)
    model(x[None])
    draws = Draws(Gaussian(0.2), 5, digest(x), backend.generator)
    count = Count(draws, 12, 5, "pooled", model.classes, backend=backend)
    found = sample(model, x, count, batch_size=4)
    expected = plain_tally(path, x, draws, backend, 12)
    on_gpu = backend.of.place[0] == "cuda"
    assert np.mean(found.hits != expected.hits) <= (0.02 if on_gpu else 0.0)


@pytest.mark.parametrize("passes", [1, 2])
def test_a_category_rules_classes_out_on_the_device_too(
    tmp_path: Path, backend: DeviceBackend, opened: Any, passes: int
) -> None:
    path = graphs.save(pointgraphs.of_category(), tmp_path / "model.onnx")
    x = np.concatenate([pointgraphs.ball(40).T, np.ones((1, 40))]).astype(np.float32)
    model = opened(path, passes=passes)
    model(x[None])
    draws = Draws(OnChannels(Gaussian(0.2), 0, 3), 5, digest(x), backend.generator)
    count = Count(draws, 12, 5, "pooled", model.classes, backend=backend)
    found = sample(model, x, count, batch_size=4)
    expected = plain_tally(path, x, draws, backend, 12, passes=passes)
    np.testing.assert_array_equal(found.hits, expected.hits)
    assert set(np.unique(found.candidate)) == {1, 2}


def test_scores_that_are_not_finite_are_withheld(
    tmp_path: Path, backend: DeviceBackend, opened: Any
) -> None:
    proto = graphs.poisoned(np.nan, level=0.6, channels=[1])
    path = graphs.save(proto, tmp_path / "model.onnx")
    model = opened(path)
    model(X[None])
    draws = Draws(Gaussian(0.3), 5, digest(X), backend.generator)
    count = Count(draws, 12, 5, "pooled", 3, backend=backend)
    found = sample(model, X, count, batch_size=4)
    assert found.nonfinite == plain_tally(path, X, draws, backend, 12).nonfinite > 0


def test_answers_hold_while_the_next_pass_runs(
    tmp_path: Path, backend: DeviceBackend, opened: Any
) -> None:
    """Nobody writes over scores that somebody still has, nor over the noise of a pass under way."""
    path, given = written(tmp_path, PLAIN)
    model = opened(path, **given)
    model(X[None])
    draws = Draws(Gaussian(0.3), 5, digest(X), backend.generator)

    def labels(answer: Any) -> Any:
        return backend.host(backend.labels(answer))

    held = [*run_draws(model, X, draws, range(40), 2, backend)]
    at_once = [labels(a) for a in run_draws(model, X, draws, range(40), 2, backend)]
    for kept, seen in zip(held, at_once, strict=True):
        np.testing.assert_array_equal(labels(kept), seen)


def test_two_sizes_and_two_models_share_the_device(tmp_path: Path, opened: Any) -> None:
    path, given = written(tmp_path, PLAIN)
    first, second = opened(path, **given), opened(path, **given)
    small = np.ascontiguousarray(X[:, :6, :5])
    for x in (X, small, X):
        np.testing.assert_array_equal(first(x[None]), second(x[None]))


def test_a_model_that_fails_says_so_in_one_sentence(tmp_path: Path, opened: Any) -> None:
    path = graphs.save(graphs.conv(3, size=(6, 6)), tmp_path / "model.onnx")
    model = opened(path, value_range=(0, 1), output_form="logits")
    with one_sentence(ModelError):
        model(X[None])


def test_nothing_crosses_to_the_host_between_draws(tmp_path: Path, opened: Any) -> None:
    path, given = written(tmp_path, PLAIN)
    model = opened(path, **given)
    model(X[None])
    backend = model.backend
    if backend is NUMPY or not hasattr(backend.of, "crossed"):
        pytest.skip("only a stand-in counts what is copied")
    crossed = []
    for n in (20, 80):
        draws = Draws(Gaussian(0.3), n, digest(X), backend.generator)
        before = backend.of.crossed
        sample(model, X, Count(draws, n, 5, "pooled", 4, backend=backend), batch_size=5)
        crossed.append(backend.of.crossed - before)
    assert crossed[0] == crossed[1]


@pytest.mark.parametrize("axes", ["CHW", "HWC", "HW", "NHWC"])
@pytest.mark.parametrize("kind", ["float32", "float16", "float64", "int64", "bool"])
def test_an_answer_without_a_batch_axis_is_counted_as_a_plain_session_does(
    tmp_path: Path, backend: DeviceBackend, opened: Any, axes: str, kind: str
) -> None:
    form = {"int64": "labels", "bool": "bool"}.get(kind, "sigmoid" if axes == "HW" else "logits")
    file = foreign_outputs.Foreign(
        axes=axes,
        form=form,
        kind=kind,
        classes={"sigmoid": 1, "bool": 1}.get(form, 4),
        size=(8, 12),
        rows=1,
        said="fixed",
        free=False,
        baked=True,
        loose=False,
        boxes=False,
        seed=3,
    )
    path = graphs.save(file.proto(), tmp_path / "model.onnx")
    given: dict[str, Any] = {"value_range": (0.0, 1.0)}
    model = opened(path, **given)
    np.testing.assert_array_equal(model(X[None]), file.right(X[None])[0])
    assert model.rows == 1
    draws = Draws(Gaussian(0.2), 5, digest(X), backend.generator)
    count = Count(draws, 14, 5, "pooled", model.classes, backend=backend)
    found = sample(model, X, count, batch_size=4)
    expected = plain_tally(path, X, draws, backend, 14, **given)
    on_gpu = backend.of.place[0] == "cuda"
    assert np.mean(found.hits != expected.hits) <= (0.02 if on_gpu else 0.0)


def test_an_answer_with_fewer_rows_than_went_in_is_refused(tmp_path: Path, opened: Any) -> None:
    proto = graphs.conv(
        3,
        contract=graphs.UNIT_RANGE,
        tail="scores = Slice(raw, first, two, first)",
        first=[0],
        two=[2],
    )
    model = opened(graphs.save(proto, tmp_path / "model.onnx"))
    segment, writing = model.bind(X, Gaussian(0.2), model.backend)
    for rows in (1, 2):
        assert writing.host(writing.labels(segment(writing.inputs(rows, X.shape)))).shape[0] == rows
    with pytest.raises(ModelError, match="one output for each of 3 images"):
        segment(writing.inputs(3, X.shape))
