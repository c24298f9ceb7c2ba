"""A classifier in every dialect answers once for the picture, as its function does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from classifier import (
    THREE,
    ClassifierDialect,
    MeanColour,
    leaking,
    poisoned,
    with_a_label_map,
)
from graphs import conv, identity

from onnxcert import Gaussian, OnnxSegmenter, certify
from onnxcert.errors import ContractError, ModelError
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model
from onnxcert.model.tuning.batch_invariance import (
    LEAK_WARNING,
    check_batch_invariance,
    is_batch_dependent,
)
from onnxcert.sampling.draws import Draws, digest

TWO = MeanColour()
FREE = ["b", 3, "h", "w"]


def pictures(many: int = 6, height: int = 8, width: int = 6) -> np.ndarray[Any, Any]:
    """Pictures of one colour each and noise, float32 [many, 3, height, width]."""
    rng = np.random.default_rng(5)
    colours = rng.random((many, 3, 1, 1))
    noise = rng.normal(0, 0.3, (many, 3, height, width))
    return (colours + noise).astype(np.float32)


def opened(proto: onnx.ModelProto, folder: Path, **given: Any) -> OnnxSegmenter:
    path = graphs.save(proto, folder / "model.onnx")
    return OnnxSegmenter.open(path, **{"device": "cpu", "threads": 1, **given})


def contract_of(proto: onnx.ModelProto, folder: Path, **given: Any) -> ImageContract:
    path = graphs.save(proto, folder / "model.onnx")
    return detect(read_model(path), {"value_range": (0.0, 1.0), **given})


DIALECTS = (
    ClassifierDialect(),
    ClassifierDialect(layout="NHWC"),
    ClassifierDialect(form="probabilities"),
    ClassifierDialect(form="probabilities", layout="NHWC", size=(8, 6)),
    ClassifierDialect(silent=True),
    ClassifierDialect(rank=4),
    ClassifierDialect(rank=4, output_layout="NHWC", layout="NHWC"),
    ClassifierDialect(form="labels", answer_type="int64"),
    ClassifierDialect(form="labels", answer_type="int64", rank=1),
    ClassifierDialect(form="labels", answer_type="uint8", rank=1, layout="NHWC"),
    ClassifierDialect(form="labels", answer_type="float32"),
    ClassifierDialect(form="labels", answer_type="int32", rank=4),
    ClassifierDialect(batch=1),
    ClassifierDialect(batch=4),
    ClassifierDialect(batch=4, baked=True, size=(8, 6)),
    ClassifierDialect(batch=1, baked=True, form="labels", answer_type="int64", rank=1),
)
BINARY = (
    ClassifierDialect(form="sigmoid"),
    ClassifierDialect(form="sigmoid", rank=1, layout="NHWC"),
    ClassifierDialect(form="sigmoid", rank=4),
    ClassifierDialect(form="logit"),
    ClassifierDialect(form="logit", rank=1, batch=4, baked=True),
)


@pytest.mark.parametrize(
    ("dialect", "function"),
    [(d, THREE) for d in DIALECTS] + [(d, TWO) for d in (*DIALECTS, *BINARY)],
    ids=str,
)
def test_every_dialect_gives_the_labels_of_the_function(
    dialect: ClassifierDialect, function: MeanColour, tmp_path: Path
) -> None:
    segment = opened(dialect.proto(function), tmp_path, **dialect.given(function))
    batch = pictures()
    expected = function.scores(batch).argmax(axis=1)
    assert len(set(expected)) > 1
    labels = segment(batch)
    assert segment.classifies
    assert labels.shape == (6, 1)
    np.testing.assert_array_equal(labels[:, 0], expected)
    assert segment.classes == function.classes
    assert str(segment.component) == "the whole picture"


def test_labels_that_do_not_exclude_each_other_are_components(tmp_path: Path) -> None:
    dialect = ClassifierDialect(form="multilabel", batch=1)
    segment = opened(dialect.proto(THREE), tmp_path, **dialect.given(THREE))
    batch = pictures()
    labels = segment(batch)
    assert str(segment.component) == "labels of the whole picture"
    assert segment.classes == 2
    np.testing.assert_array_equal(labels, THREE.scores(batch) > 0)
    certificate = certify(segment, np.full((3, 8, 6), 0.5, np.float32), Gaussian(0.1), seed=1)
    assert certificate.labels.shape == (3,)


def test_sigmoids_over_classes_are_refused_unless_they_are_meant(tmp_path: Path) -> None:
    proto = ClassifierDialect(form="multilabel").proto(THREE)
    with pytest.raises(ContractError, match="do not exclude each other"):
        contract_of(proto, tmp_path)
    assert contract_of(proto, tmp_path, output_form="multilabel").classes == 2


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_one_channel_is_asked_about(rank: int, tmp_path: Path) -> None:
    proto = ClassifierDialect(form="logit", rank=rank).proto(TWO)
    with pytest.raises(ContractError, match="--output-form logit") as refused:
        contract_of(proto, tmp_path)
    assert "labels" not in str(refused.value)  # what it answers in a trial is no whole number


def test_a_threshold_moves_the_answer(tmp_path: Path) -> None:
    dialect = ClassifierDialect(form="sigmoid")
    batch = pictures(40)
    margin = np.diff(TWO.scores(batch))[:, 0]
    level = 0.55
    moved = opened(dialect.proto(TWO), tmp_path, **dialect.given(TWO), threshold=level)
    np.testing.assert_array_equal(moved(batch)[:, 0], 1 / (1 + np.exp(-margin)) > level)
    assert (moved(batch)[:, 0] != (margin > 0)).any()


@pytest.mark.parametrize(
    ("proto", "fields"),
    [
        (ClassifierDialect().proto(THREE), {"task": "classification", "output_rank": 2}),
        (ClassifierDialect(rank=4).proto(THREE), {"task": "classification", "output_rank": 4}),
        (conv(), {"task": "segmentation", "output_rank": 4}),
        (identity(FREE, ["b", "h", "w"]), {"task": "segmentation", "output_rank": 3}),
        # A picture of one pixel is a picture.
        (identity(["b", 3, 1, 1], ["b", 3, 1, 1]), {"task": "segmentation", "output_rank": 4}),
    ],
    ids=["vector", "one cell", "map", "map of labels", "one pixel"],
)
def test_the_task_is_read_off_the_output(
    proto: onnx.ModelProto, fields: dict[str, Any], tmp_path: Path
) -> None:
    form = {"output_form": "labels", "classes": 3} if fields["output_rank"] == 3 else {}
    found = contract_of(proto, tmp_path, layout="NCHW", **form)
    assert {name: getattr(found, name) for name in fields} == fields
    assert found.sources["task"].startswith("the graph: the output has")


@pytest.mark.parametrize(
    ("proto", "said", "words"),
    [
        (ClassifierDialect().proto(THREE), {"task": "segmentation"}, "classification"),
        (conv(size=(8, 6)), {"task": "classification"}, "segmentation"),
        (ClassifierDialect().proto(THREE), {"output_rank": 4}, "4 axes"),
    ],
)
def test_a_contract_that_says_otherwise_is_refused(
    proto: onnx.ModelProto, said: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match=words):
        contract_of(proto, tmp_path, **said)


def test_one_cell_may_be_said_to_be_a_label_map(tmp_path: Path) -> None:
    dialect = ClassifierDialect(rank=4)
    segment = opened(dialect.proto(THREE), tmp_path, value_range=(0.0, 1.0), task="segmentation")
    assert segment(pictures()).shape == (6, 8, 6)


def test_scores_of_more_cells_than_one_do_not_classify(tmp_path: Path) -> None:
    segment = opened(conv(), tmp_path, value_range=(0.0, 1.0), task="classification")
    with pytest.raises(ModelError, match=r"one cell \(task classification: given\) was expected"):
        segment(pictures())


def test_several_indices_are_no_answer(tmp_path: Path) -> None:
    g = graphs.Graph()
    flat = g.add("Flatten", g.add("GlobalAveragePool", "image"))
    g.add("Cast", flat, to=onnx.TensorProto.INT64, output="top")
    proto = g.model({"image": ("float32", FREE)}, {"top": ("int64", ["b", 3])})
    with pytest.raises(ContractError, match="one class index was expected"):
        contract_of(proto, tmp_path)
    assert contract_of(proto, tmp_path, output_form="logits").classes == 3


def test_a_label_map_comes_before_a_vector(tmp_path: Path) -> None:
    proto = with_a_label_map(ClassifierDialect().proto(THREE))
    assert contract_of(proto, tmp_path).output == "map"
    both = contract_of(proto, tmp_path, output="answer")
    assert (both.task, both.classes) == ("classification", 3)


def test_two_vectors_are_asked_about(tmp_path: Path) -> None:
    proto = ClassifierDialect().proto(THREE)
    flat = next(n.output[0] for n in proto.graph.node if n.op_type == "Flatten")
    proto.graph.node.append(onnx.helper.make_node("Identity", [flat], ["features"]))
    proto.graph.output.append(onnx.helper.make_tensor_value_info("features", 1, ["batch", 3]))
    with pytest.raises(ContractError, match="--output answer or --output features"):
        contract_of(proto, tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_no_vote(value: float, tmp_path: Path) -> None:
    segment = opened(poisoned(value), tmp_path, value_range=(0.0, 1.0))
    batch = np.full((2, 3, 4, 4), 0.25, np.float32)
    batch[1, 0] = 0.75
    batch[:, 2] = 0.9
    assert segment(batch).tolist() == [[3], [255]]
    picture = np.full((3, 4, 4), 0.9, np.float32)
    certificate = certify(segment, picture, Gaussian(0.01), seed=3)
    assert certificate.abstained == 1
    assert certificate.tally.nonfinite == 100


@pytest.mark.parametrize(
    "fit", [Fit(), Fit(scale=0.5), Fit(size=(5, 9)), Fit(pad_to=4), Fit(grid="model")], ids=str
)
def test_whatever_the_model_sees_there_is_one_answer(fit: Fit, tmp_path: Path) -> None:
    segment = opened(ClassifierDialect().proto(THREE), tmp_path, value_range=(0.0, 1.0), fit=fit)
    batch = np.broadcast_to(np.array([0.9, 0.1, 0.2], np.float32)[:, None, None], (2, 3, 9, 7))
    assert segment(np.ascontiguousarray(batch)).tolist() == [[0], [0]]


def test_a_fixed_size_is_kept_to(tmp_path: Path) -> None:
    proto = ClassifierDialect(size=(8, 6)).proto(THREE)
    segment = opened(proto, tmp_path, value_range=(0.0, 1.0))
    with pytest.raises(ModelError, match="8x6 pixels only, got 9x7; pass --resize"):
        segment(pictures(1, 9, 7))


def test_batch_mates_that_change_scores_but_no_label_are_found(tmp_path: Path) -> None:
    x = np.full((3, 8, 6), 0.5, np.float32)
    draws = Draws(Gaussian(0.25), 7, digest(x))
    sound = opened(ClassifierDialect().proto(THREE), tmp_path, value_range=(0.0, 1.0))
    assert check_batch_invariance(sound, x, draws, batch_size=8) == (8, "")
    assert not is_batch_dependent(sound, x, draws, batch_size=8)
    unsound = opened(leaking(), tmp_path, value_range=(0.0, 1.0))
    batch = np.random.default_rng(0).normal(0.5, 0.25, (64, *x.shape)).astype(np.float32)
    assert not unsound(batch).any()  # the labels show nothing
    assert check_batch_invariance(unsound, x, draws, batch_size=8) == (1, LEAK_WARNING)
    assert is_batch_dependent(unsound, x, draws, batch_size=8)


def test_a_fixed_batch_is_not_freed_where_that_changes_scores(tmp_path: Path) -> None:
    proto = leaking()
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    segment = opened(proto, tmp_path, value_range=(0.0, 1.0))
    segment(pictures())
    assert segment.session.runtime.get_inputs()[0].shape[0] == 1
    free = ClassifierDialect(batch=1).proto(THREE)
    segment = opened(free, tmp_path, value_range=(0.0, 1.0))
    segment(pictures())
    assert segment.session.runtime.get_inputs()[0].shape[0] == "batch"


@pytest.mark.parametrize("batch", [None, 4])
def test_scores_are_those_of_the_function(batch: int | None, tmp_path: Path) -> None:
    dialect = ClassifierDialect(batch=batch, baked=batch is not None)
    segment = opened(dialect.proto(THREE), tmp_path, value_range=(0.0, 1.0))
    np.testing.assert_allclose(segment.scores(pictures()), THREE.scores(pictures()), atol=1e-5)


def test_a_stored_contract_says_the_task(tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(ClassifierDialect(rank=1, form="logit").proto(TWO), tmp_path / "model.onnx")
    flags = ["--range", "0,1", "--output-form", "logit"]
    done = onnxcert("inspect", path, *flags, "--write", tmp_path / "copy.onnx")
    assert done.status == 0
    assert "classification" in done.out
    assert "(the graph: the output has no height and width)" in done.out
    segment = OnnxSegmenter.open(tmp_path / "copy.onnx", device="cpu")
    assert segment.classifies
    assert segment.contract.sources["task"] == "the file's metadata"
