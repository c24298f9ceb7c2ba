"""Labels that leave the session are those one would compute outside it, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from onnxcert import OnnxSegmenter
from onnxcert.errors import ModelError, ParameterError
from onnxcert.model.adapter.resize import Fit

Array = npt.NDArray[Any]


def noise(batch: int = 2, height: int = 12, width: int = 10, seed: int = 0) -> Array:
    """Pixels as they are under noise, beyond [0, 1]."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, 0.4, (batch, 3, height, width)).astype(np.float32)


def scores(proto: onnx.ModelProto, batch: Array, name: str = "image") -> Array:
    """What the untouched graph says."""
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {name: batch})[0])


def opened(proto: onnx.ModelProto, folder: Path, **options: Any) -> OnnxSegmenter:
    return OnnxSegmenter.open(graphs.save(proto, folder / "model.onnx"), threads=1, **options)


def agree(labels: Array, values: Array) -> None:
    """`labels` are the argmax of `values`, wherever rounding does not decide."""
    assert labels.shape == (values.shape[0], *values.shape[2:])
    first, second = np.sort(values, axis=1)[:, [-1, -2]].swapaxes(0, 1)
    clear = first - second > 1e-4
    assert clear.mean() > 0.95
    assert np.array_equal(labels[clear], values.argmax(axis=1)[clear])
    assert len(np.unique(labels)) > 1


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3, 21, 255, 256, 300])
def test_labels_are_the_argmax_of_the_scores(tmp_path: Path, classes: int) -> None:
    proto = graphs.conv(classes, contract=graphs.UNIT_RANGE)
    agree(opened(proto, tmp_path)(noise()), scores(proto, noise()))


def test_probabilities_as_well(tmp_path: Path) -> None:
    proto = graphs.softmax()
    agree(opened(proto, tmp_path)(noise()), scores(proto, noise()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (2, np.uint8),
        (255, np.uint8),
        (256, np.uint16),
        (300, np.uint16),
    ],
)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "known when run"])
def test_labels_have_the_smallest_type_that_has_room_for_no_vote(
    tmp_path: Path, classes: int, kind: type[np.integer[Any]], declared: bool
) -> None:
    proto = graphs.conv(classes, contract=graphs.UNIT_RANGE)
    if not declared:
        proto.graph.output[0].type.tensor_type.shape.dim[1].Clear()
    segment = opened(proto, tmp_path)
    labels = segment(noise())
    assert labels.dtype == kind
    assert np.array_equal(labels, scores(proto, noise()).argmax(axis=1))
    assert segment.classes == classes


def test_classes_that_are_a_symbol_are_known_after_a_trial(tmp_path: Path) -> None:
    proto = graphs.conv(5, contract=graphs.UNIT_RANGE)
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    segment = opened(proto, tmp_path)
    assert (segment.classes, segment.contract.sources["classes"]) == (5, "trial passes")


def test_classes_are_known_once_the_model_has_run_where_no_trial_runs(tmp_path: Path) -> None:
    size = list(noise().shape[2:])
    proto = graphs.conv(
        5,
        contract=graphs.UNIT_RANGE,
        tail="scores = Reshape(raw, baked)",
        baked=[-1, 5, *size],
    )
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    segment = opened(proto, tmp_path)
    with pytest.raises(ModelError, match="before a run"):
        _ = segment.classes
    agree(segment(noise()), scores(proto, noise()))
    assert segment.classes == 5
    assert segment.contract.sources["classes"] == "the graph, when run"


def test_ties_go_to_the_lowest_class(tmp_path: Path) -> None:
    # Classes 1, 2 and 3 always tie, and beat 0 where red is positive.
    weight = np.zeros((4, 3, 1, 1))
    weight[1:, 0] = 1
    segment = opened(graphs.conv(4, weight=weight, contract=graphs.UNIT_RANGE), tmp_path)
    batch = noise()
    assert np.array_equal(segment(batch), (batch[:, 0] > 0).astype(np.uint8))


@pytest.mark.parametrize(
    ("value_range", "mean", "std"),
    [
        ((0, 1), (), ()),
        ((0, 255), (), ()),
        ((0, 1), (0.41, 0.42, 0.43), (0.30, 0.31, 0.32)),
        ((0, 255), (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)),
        ((0, 255), (127.5,), (127.5,)),
        ((-1, 1), (), ()),
        ((-1, 1), (0.1,), (2.0,)),
        ((0, 1), (), (0.5,)),
    ],
)
def test_normalising_inside_equals_normalising_outside(
    tmp_path: Path,
    value_range: tuple[float, float],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> None:
    proto = graphs.conv(4, bias=np.array([0.0, 0.3, -0.3, 0.1]), seed=3)
    segment = opened(proto, tmp_path, value_range=value_range, mean=mean, std=std)
    batch = noise()
    low, high = value_range
    network = low + batch.astype(np.float64) * (high - low)
    network = (network - np.reshape(mean or 0.0, (1, -1, 1, 1))) / np.reshape(
        std or 1.0, (1, -1, 1, 1)
    )
    agree(segment(batch), scores(proto, network.astype(np.float32)))


def test_labels_that_the_graph_gives_leave_as_they_are(tmp_path: Path) -> None:
    batch = noise()
    given: dict[str, Any] = {"value_range": (0, 1)}
    chosen = opened(graphs.label_map(), tmp_path, **given)
    assert np.array_equal(chosen(batch), batch.argmax(axis=1))
    # An index that is no class is no vote.
    cut = opened(graphs.label_map(chosen=False), tmp_path, value_range=(0, 4), classes=3)
    labels = cut(batch)
    red = np.trunc(np.float32(4) * batch[:, 0])
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, np.where((red >= 0) & (red < 3), red, 255))
    assert {0, 1, 2, 255} == set(np.unique(labels))


def test_channels_last_and_half_precision_give_the_labels_of_the_plain_graph(
    tmp_path: Path,
) -> None:
    batch = noise().astype(np.float16).astype(np.float32)
    given: dict[str, Any] = {"value_range": (0, 1)}
    plain = batch.argmax(axis=1)
    assert np.array_equal(opened(graphs.channels_last(), tmp_path, **given)(batch), plain)
    assert np.array_equal(opened(graphs.typed("float16"), tmp_path, **given)(batch), plain)


def test_a_network_in_double_precision_gets_the_float32_values(tmp_path: Path) -> None:
    proto = graphs.model(
        "(double[batch, 3, height, width] image) => (double[batch, 3, height, width] scores)"
        " { wide = Cast<to = 11>(factor) scores = Mul(image, wide) }",
        factor=np.array([3.0, 2.0, 1.0]).reshape(1, 3, 1, 1),
    )
    batch, mean = noise(), np.float32(0.3)
    segment = opened(proto, tmp_path, value_range=(0, 1), mean=(0.3,) * 3)
    network = (batch - mean).astype(np.float64)
    assert np.array_equal(segment(batch), scores(proto, network).argmax(axis=1))
    assert np.array_equal(segment.network_input(batch[0]), (batch - mean)[0])


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_an_integer_input_is_rounded_and_cut_off_after_the_noise(
    tmp_path: Path, dtype: str
) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    segment = opened(graphs.typed(dtype), tmp_path, value_range=(low, high))
    batch = noise()
    whole = np.clip(np.rint(low + np.float64(1) * batch * (high - low)), low, high)
    # The first of equal channels wins, which only happens after rounding or cutting off.
    first = whole.argmax(axis=1)
    assert not np.array_equal(first, batch.argmax(axis=1))
    clear = np.abs(batch * (high - low) % 1 - 0.5).min(axis=1) > 1e-3
    assert clear.mean() > 0.95
    assert np.array_equal(segment(batch)[clear], first[clear])


def test_the_other_of_two_inputs_is_the_same_in_every_pass(tmp_path: Path) -> None:
    batch = noise()
    still = np.array([0.5, -0.5, 0.0], np.float32).reshape(3, 1, 1)
    segment = opened(
        graphs.two_inputs(), tmp_path, value_range=(0, 1), feeds=(("left", still.tolist()),)
    )
    assert np.array_equal(segment(batch), (batch + still)[:, :2].argmax(axis=1))


def test_the_chosen_output_is_the_one_that_is_labelled(tmp_path: Path) -> None:
    batch = noise()
    given: dict[str, Any] = {"value_range": (0, 1)}
    main = opened(graphs.two_outputs(), tmp_path, output="main", **given)(batch)
    aux = opened(graphs.two_outputs(), tmp_path, output="aux", **given)(batch)
    assert np.array_equal(main, batch.argmax(axis=1))
    assert np.array_equal(aux, batch.argmin(axis=1))


def test_a_picture_of_another_size_than_the_graph_takes_is_refused_with_both(
    tmp_path: Path,
) -> None:
    proto = graphs.conv(size=(8, 8), contract=graphs.UNIT_RANGE)
    with pytest.raises(ModelError, match=r"8x8 pixels only, got 12x10"):
        opened(proto, tmp_path)(noise())
    with pytest.raises(ModelError, match=r"--resize"):
        opened(proto, tmp_path)(noise())
    assert opened(proto, tmp_path, fit=Fit(scale=0.5))(noise(2, 16, 16)).shape == (2, 16, 16)
    with pytest.raises(ModelError, match=r"8x8 pixels only, got 10x10"):
        opened(proto, tmp_path, fit=Fit(size=(10, 10)))(noise(2, 16, 16))


def test_a_picture_that_scale_leaves_nothing_of_keeps_one_pixel(tmp_path: Path) -> None:
    batch = noise(6, 4, 4)
    labels = opened(graphs.threshold(), tmp_path, fit=Fit(scale=0.1))(batch)
    # The one pixel is the mean of the four in the middle.
    one = batch[:, :, 1:3, 1:3].mean(axis=(1, 2, 3)) > 0.5
    assert len(set(one.tolist())) == 2
    assert np.array_equal(labels, np.broadcast_to(one[:, None, None], (6, 4, 4)))


@pytest.mark.parametrize("scale", [0.0, -1.0, 17.0, float("nan"), float("inf")])
def test_a_scale_out_of_range_is_refused(scale: float) -> None:
    with pytest.raises(ParameterError, match="scale must be above 0 and at most 16"):
        Fit(scale=scale)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": (0, 8)}, "from 1 to 65536"),
        ({"size": (8, 65537)}, "from 1 to 65536"),
        ({"size": (8, 8), "scale": 0.5}, "exclude each other"),
        ({"pad_to": 0}, "from 1 to 4096"),
        ({"pad_to": 4097}, "from 1 to 4096"),
        ({"grid": "native "}, "native or model"),
        ({"grid": "model", "pad_to": 32}, "exclude each other"),
    ],
)
def test_a_fit_that_is_none_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        Fit(**values)


def test_time_inside_the_runtime_is_kept(tmp_path: Path) -> None:
    segment = opened(graphs.threshold(), tmp_path)
    assert segment.seconds == 0
    segment(noise())
    first = segment.seconds
    segment(noise())
    assert 0 < first < segment.seconds
