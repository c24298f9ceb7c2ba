"""The first axis of an answer is the rows that went in, or there is none; else it is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import onnxruntime
import pytest
from graphs import Graph, save
from refusals import one_sentence

from onnxcert import Gaussian, OnnxSegmenter, certify
from onnxcert.errors import ModelError, OnnxcertError
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.contract.answer_axes import OutputShapes, layouts, on_grid
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import read_model

CPU: dict[str, Any] = {"device": "cpu", "threads": 1}
UNIT: dict[str, Any] = {"value_range": (0.0, 1.0)}
GRID = (8, 12)
RED = np.zeros((2, 3, 1, 1), np.float32)
RED[1, 0] = 8


def halves() -> np.ndarray[Any, Any]:
    """A picture whose left half is red, class 1; [3, 8, 12]."""
    picture = np.zeros((3, *GRID), np.float32)
    picture[0, :, :6] = 1
    return picture


def of_red(g: Graph, image: str = "image") -> str:
    """Scores of two classes, the second where red is high."""
    bias = g.constant([2.0, 0.0], np.float32)
    return g.add("Conv", image, g.constant(RED, np.float32), bias)


def opened(proto: onnx.ModelProto, folder: Path, **given: Any) -> OnnxSegmenter:
    return OnnxSegmenter.open(save(proto, folder / "model.onnx"), **UNIT, **CPU, **given)


def refusal(proto: onnx.ModelProto, folder: Path, **given: Any) -> str:
    """The sentence with which a model is refused, opened or shown a picture."""
    with one_sentence(OnnxcertError) as refused:
        opened(proto, folder, **given)(np.stack([halves()] * 3))
    return str(refused.value)


# -- what the lengths of axes say ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((1, 2, 8, 12), (2, 2, 8, 12), [""]),
        ((1, 8, 12), (2, 8, 12), [""]),
        ((1, 8, 12), (1, 8, 12), [""]),  # one channel or one row: the same answer
        ((1, 8, 12), None, [""]),
        ((1, 5), (2, 5), [""]),  # a classifier
        ((8, 12), (8, 12), ["HW"]),
        ((8, 12), (2, 8, 12), ["HW"]),
        ((2, 8, 12), None, ["CHW"]),
        ((8, 12, 5), (2, 8, 12, 5), ["HWC"]),
        ((12, 2), None, []),
        ((12, 2), (24, 2), []),
        ((5, 4, 6), None, []),  # no batch axis, and not the input's grid
        ((1, 84, 8400), (2, 84, 8400), []),  # boxes
        ((1, 300, 6), (2, 300, 6), []),
        ((1, 4, 6), (2, 4, 6), [""]),  # a coarser grid
        ((2, 2, 8, 12), (2, 2, 8, 12), []),
        ((12, 8), None, []),
        ((1, 2, 12, 8), (2, 2, 12, 8), []),  # width before height
        ((1, 0, 0), None, []),
        ((5,), (2, 5), ["C"]),
        ((5,), (5,), []),  # as short as a list of boxes
        ((1, 2, 3, 4, 5), (2, 2, 3, 4, 5), []),
    ],
    ids=str,
)
def test_the_lengths_of_axes_say_what_they_are(one: Any, two: Any, expected: list[str]) -> None:
    assert list(layouts(OutputShapes(GRID, one, two), ImageContract())) == expected


def test_where_several_orders_fit_all_are_found() -> None:
    assert layouts(OutputShapes((5, 5), (5, 5, 5), None), ImageContract()) == ("CHW", "HWC")
    assert layouts(OutputShapes((1, 7), (1, 7), None), ImageContract()) == ("HW", "")
    assert layouts(OutputShapes((1, 7), (1, 7), (2, 7)), ImageContract()) == ("",)
    assert layouts(OutputShapes((9,), (9, 9), None), PointContract()) == ("CN", "NC")
    assert layouts(OutputShapes((9,), (9, 4), None), PointContract()) == ("NC",)
    assert layouts(OutputShapes((9,), (9,), (2, 9)), PointContract()) == ("N", "C")


@pytest.mark.slow
@pytest.mark.parametrize("grid", [(64, 96), (100, 70), (13, 9), (513, 513), (1, 7)], ids=str)
def test_one_step_along_both_axes_leads_to_the_grid_of_the_scores(grid: tuple[int, int]) -> None:
    assert on_grid(grid, grid)
    for step in range(2, max(grid) + 3):
        assert on_grid((grid[0] * step, grid[1] * step), grid)
        for side in itertools.product(*({n // step, -(-n // step)} for n in grid)):
            assert on_grid(side, grid) == all(side)
    half, third = ([-(-n // step) for n in grid] for step in (2, 3))
    for side in itertools.product(*(range(1, n + 3) for n in grid)):
        if side == grid or max(grid) > 200:
            continue
        if any(n > most for n, most in zip(side, half, strict=True)):
            assert not on_grid(side, grid)  # no whole step is that small
        elif any(n > most for n, most in zip(side, third, strict=True)):
            assert on_grid(side, grid) == all(
                n in (of // 2, -(-of // 2)) for n, of in zip(side, grid, strict=True)
            )


@pytest.mark.parametrize(
    "side",
    [
        *[(60, 92), (44, 76), (62, 96), (64, 92), (32, 96), (1, 96), (64, 1)],  # cropped
        *[(68, 100), (66, 96), (128, 96), (128, 191)],  # padded
        *[(96, 64), (48, 32), (0, 0), (43, 64), (64,), (8, 8)],
    ],
    ids=str,
)
def test_no_border_and_no_lost_axis_is_a_step(side: tuple[int, ...]) -> None:
    assert not on_grid(side, (64, 96))


# -- accidents -------------------------------------------------------------------------------------


@pytest.mark.parametrize("baked", [False, True], ids=["free", "baked"])
def test_as_many_classes_as_rows_are_no_rows(tmp_path: Path, baked: bool) -> None:
    """Scores [2, H, W] of the two pictures together, in a file that takes two."""
    g = Graph()
    image = g.add("Reshape", "image", g.constant([2, 3, *GRID])) if baked else "image"
    g.add("ReduceMean", of_red(g, image), output="answer", axes=[0], keepdims=0)
    proto = g.model({"image": ("float32", [2, 3, *GRID])}, {"answer": ("float32", [2, *GRID])})
    assert "first axis is not the batch" in refusal(proto, tmp_path, output_form="logit")


def test_rows_that_are_fixed_are_rows(tmp_path: Path) -> None:
    """The same file with two answers, the number of rows baked in."""
    g = Graph()
    image = g.add("Reshape", "image", g.constant([2, 3, *GRID]))
    g.add("Squeeze", g.add("Slice", of_red(g, image), *(g.constant([i]) for i in (1, 2, 1))),
          g.constant([1]), output="answer")  # fmt: skip
    proto = g.model({"image": ("float32", [2, 3, *GRID])}, {"answer": ("float32", [2, *GRID])})
    model = opened(proto, tmp_path, output_form="logit", threshold=4.0)
    labels = model(np.stack([halves(), halves()[:, :, ::-1], halves()]))
    assert model.rows == 2
    expected = halves()[0] > 0.5
    np.testing.assert_array_equal(labels, np.stack([expected, expected[:, ::-1], expected]))


def test_an_answer_with_fewer_rows_than_went_in_is_refused(tmp_path: Path) -> None:
    """One row and two are answered, of more the first two."""
    g = Graph()
    g.add("Slice", of_red(g), *(g.constant([i]) for i in (0, 2, 0)), output="answer")
    free = ["batch", 2, "height", "width"]
    proto = g.model(
        {"image": ("float32", ["batch", 3, "height", "width"])}, {"answer": ("float32", free)}
    )
    model = opened(proto, tmp_path)
    assert model(np.stack([halves()] * 2)).shape == (2, *GRID)
    assert "one output for each of 3 images" in refusal(proto, tmp_path)


@pytest.mark.parametrize("free", [False, True], ids=["fixed", "free"])
@pytest.mark.parametrize("said", ["fixed", "unnamed"])
def test_boxes_are_no_labels(tmp_path: Path, free: bool, said: str) -> None:
    g = Graph()
    pooled = g.add("GlobalAveragePool", of_red(g))
    boxes = g.add("Expand", pooled, g.constant([1, 2, 3, 4]))
    g.add("Reshape", boxes, g.constant([12, 2]), output="answer")
    sides = ["height", "width"] if free else list(GRID)
    proto = g.model(
        {"image": ("float32", [1, 3, *sides])},
        {"answer": ("float32", [12, 2] if said == "fixed" else [None, None])},
    )
    assert "[12, 2]" in refusal(proto, tmp_path)


def test_no_output_layout_makes_labels_of_boxes(tmp_path: Path) -> None:
    g = Graph()
    g.add("Reshape", of_red(g), g.constant([-1, 2]), output="answer")
    proto = g.model({"image": ("float32", [1, 3, *GRID])}, {"answer": ("float32", [96, 2])})
    for layout in ("HW", "CHW", "NCHW", "HWC", "C"):
        assert "[96, 2]" in refusal(proto, tmp_path, output_layout=layout)


@pytest.mark.parametrize("axes", ["NCWH", "NWHC", "CWH", "WHC"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_width_before_height_is_refused_for_square_pictures_too(
    tmp_path: Path, axes: str, mirrored: bool
) -> None:
    g, side = Graph(), 16
    value, order = of_red(g), "NCHW"
    if "N" not in axes:
        value, order = g.add("Squeeze", value, g.constant([0])), "CHW"
    g.add("Transpose", value, perm=[order.index(a) for a in axes], output="answer")
    lengths = {"N": 1, "C": 2, "H": side, "W": side}
    proto = g.model(
        {"image": ("float32", [1, 3, side, side])},
        {"answer": ("float32", [lengths[a] for a in axes])},
    )
    picture = np.random.default_rng(0).random((1, 3, side, side), dtype=np.float32)
    options = {"fit": Fit(flip=True)} if mirrored else {}
    with pytest.raises(ModelError, match="width before height"):
        opened(proto, tmp_path, **options)(picture)
    upright = g.nodes[-1]
    del g.nodes[-1]
    g.add("Identity", upright.input[0], output="answer")
    proto = g.model(
        {"image": ("float32", [1, 3, side, side])},
        {"answer": ("float32", [lengths[a] for a in order])},
    )
    labels = opened(proto, tmp_path, **options)(picture)
    np.testing.assert_array_equal(labels[0], picture[0, 0] > 0.25)


# -- one row a pass --------------------------------------------------------------------------------


def baked(one: int = 1, out: Any = ("n", 2, "h", "w")) -> onnx.ModelProto:
    """A file that says any number of pictures of any size, and has one of 8 x 12 baked in."""
    g = Graph()
    g.add("Identity", of_red(g, g.add("Reshape", "image", g.constant([one, 3, *GRID]))),
          output="answer")  # fmt: skip
    return g.model({"image": ("float32", ["n", 3, "h", "w"])}, {"answer": ("float32", list(out))})


def test_a_batch_of_one_behind_a_free_axis_runs_one_row_a_pass(tmp_path: Path) -> None:
    model = opened(baked(), tmp_path)
    batch = np.stack([halves(), halves()[:, :, ::-1], halves()])
    np.testing.assert_array_equal(model(batch), batch[:, 0] > 0.5)
    assert model.rows == 1
    for batch_size in (None, 1, 8):
        certificate = certify(
            tmp_path / "model.onnx",
            halves(),
            Gaussian(0.03),
            n=60,
            batch_size=batch_size,
            **UNIT,
            **CPU,
        )
        np.testing.assert_array_equal(certificate.labels, halves()[0] > 0.5)


def test_two_rows_that_the_graph_makes_one_of_go_in_one_by_one(tmp_path: Path) -> None:
    """With two rows the answer is still one: the channels of both together."""
    g = Graph()
    flat = g.add("Reshape", "image", g.constant([1, -1, *GRID]))
    first = g.add("Slice", flat, *(g.constant([i]) for i in (0, 3, 1)))
    g.add("Identity", of_red(g, first), output="answer")
    shape: list[Any] = ["n", 3, "h", "w"]
    proto = g.model({"image": ("float32", shape)}, {"answer": ("float32", ["n", 2, "h", "w"])})
    model = opened(proto, tmp_path)
    batch = np.stack([halves(), halves()[:, :, ::-1]])
    np.testing.assert_array_equal(model(batch), batch[:, 0] > 0.5)
    assert model.rows == 1


def test_a_layout_that_was_said_chooses_where_several_fit(tmp_path: Path) -> None:
    g, side = Graph(), 3
    weight = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    scores = g.add("Conv", "image", g.constant(weight, np.float32))
    g.add("Transpose", g.add("Squeeze", scores, g.constant([0])), perm=[1, 2, 0], output="answer")
    proto = g.model({"image": ("float32", [1, 3, side, side])}, {"answer": ("float32", [side] * 3)})
    given = {"layout": "NCHW"}
    path = save(proto, tmp_path / "model.onnx")
    with pytest.raises(OnnxcertError, match="--output-layout CHW or --output-layout HWC"):
        detect(read_model(path), {**UNIT, **given})
    picture = np.random.default_rng(1).random((1, 3, side, side), dtype=np.float32)
    for said in ("HWC", "NHWC"):  # the second with a batch axis in mind
        model = opened(proto, tmp_path, output_layout=said, **given)
        np.testing.assert_array_equal(model(picture), picture.argmax(axis=1))


def test_a_contract_kept_in_the_file_reads_the_answer_again(tmp_path: Path) -> None:
    g = Graph()
    g.add("Squeeze", of_red(g), g.constant([0]), output="answer")
    proto = g.model({"image": ("float32", [1, 3, *GRID])}, {"answer": ("float32", [2, *GRID])})
    first = opened(proto, tmp_path)
    onnx.helper.set_model_props(proto, {"onnxcert": first.contract.to_json()})
    path = save(proto, tmp_path / "kept.onnx")
    again = OnnxSegmenter.open(path, **CPU)
    assert again.contract.output_layout == "CHW"
    np.testing.assert_array_equal(again(halves()[None])[0], halves()[0] > 0.5)


@pytest.mark.parametrize(
    "fit",
    [
        Fit(pad_to=8),
        Fit(scale=0.5),
        Fit(size=(24, 16)),
        Fit(grid="model"),
        Fit(tile=(8, 8)),
        Fit(flip=True),
        Fit(scales=(0.5, 1.0)),
    ],
    ids=lambda fit: str(fit.as_dict()),
)
@pytest.mark.parametrize("axes", ["CHW", "HWC"])
def test_every_fit_reaches_an_answer_without_a_batch_axis(
    tmp_path: Path, fit: Fit, axes: str
) -> None:
    """The labels are those of the same scores with a batch axis."""
    weight = np.random.default_rng(2).normal(size=(4, 3, 3, 3)).astype(np.float32)

    def file(single: bool) -> Path:
        g = Graph()
        value = g.add("Conv", "image", g.constant(weight, np.float32), pads=[1] * 4)
        out: list[Any] = ["n", 4, "h", "w"]
        if single:
            value, out = g.add("Squeeze", value, g.constant([0])), [4, "h", "w"]
            if axes == "HWC":
                value, out = g.add("Transpose", value, perm=[1, 2, 0]), ["h", "w", 4]
        g.add("Identity", value, output="answer")
        proto = g.model({"image": ("float32", ["n", 3, "h", "w"])}, {"answer": ("float32", out)})
        return save(proto, tmp_path / f"{single}.onnx")

    pictures = np.random.default_rng(3).random((3, 3, 13, 18), dtype=np.float32)
    single, batched = (
        OnnxSegmenter.open(file(single), fit=fit, **UNIT, **CPU) for single in (True, False)
    )
    np.testing.assert_array_equal(single(pictures), batched(pictures))
    assert single.rows == 1
    assert single.contract.output_layout == axes


# -- points and classifiers ------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["CN", "NC", "N", "BCN", "BNC"])
@pytest.mark.parametrize("said", [True, False])
def test_points_without_a_batch_axis(tmp_path: Path, axes: str, said: bool) -> None:
    points, g = 40, Graph()
    weight = np.random.default_rng(0).normal(size=(4, 3, 1)).astype(np.float32)
    value = g.add("Conv", "cloud", g.constant(weight, np.float32))
    if axes == "N":
        value = g.add("ArgMax", value, axis=1, keepdims=0)
    if "B" not in axes:
        value = g.add("Squeeze", value, g.constant([0]))
    if axes.endswith("NC"):
        value = g.add("Transpose", value, perm=[0, 2, 1] if "B" in axes else [1, 0])
    g.add("Identity", value, output="answer")
    lengths: dict[str, Any] = {"B": 1, "C": 4, "N": points}
    shape = [lengths[axis] if said else None for axis in axes]
    kind = "int64" if axes == "N" else "float32"
    proto = g.model({"cloud": ("float32", [1, 3, points])}, {"answer": (kind, shape)})
    path = save(proto, tmp_path / "model.onnx")
    model = OnnxSegmenter.open(path, frame="own", **CPU)
    clouds = np.random.default_rng(1).normal(size=(3, 3, points)).astype(np.float32)
    expected = np.einsum("kc,bcn->bkn", weight[:, :, 0], clouds).argmax(axis=1)
    np.testing.assert_array_equal(model(clouds), expected)
    assert model.contract.output_layout == (axes if "B" in axes or axes != "N" else "N")


@pytest.mark.parametrize("loose", [True, False])
def test_a_classifier_without_a_batch_axis_needs_proof(tmp_path: Path, loose: bool) -> None:
    """Where two rows give two answers, [C] is one of them; a fixed [C] may be a list of boxes."""
    g = Graph()
    pooled = g.add("GlobalAveragePool", of_red(g))
    if loose:
        g.add("Squeeze", pooled, output="answer")
    else:
        g.add("Reshape", pooled, g.constant([2]), output="answer")
    rows: Any = "batch" if loose else 1
    proto = g.model(
        {"image": ("float32", [rows, 3, *GRID])}, {"answer": ("float32", None if loose else [2])}
    )
    if not loose:
        assert "[2]" in refusal(proto, tmp_path)
        given = {"class_names": ("other", "red")}
    else:
        given = {}
    model = opened(proto, tmp_path, **given)
    red = np.zeros((2, 3, *GRID), np.float32)
    red[1, 0] = 1
    np.testing.assert_array_equal(model(red), [[0], [1]])
    assert model.classifies
    assert model.rows == 1


# -- what is compared with -------------------------------------------------------------------------


def test_the_labels_are_those_of_the_bare_runtime(tmp_path: Path) -> None:
    proto = graphs.conv(5, size=GRID, batch=1)
    squeeze = onnx.helper.make_node("Squeeze", ["scores", "zero"], ["answer"])
    proto.graph.node.append(squeeze)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "zero"))
    del proto.graph.output[:]
    info = onnx.helper.make_tensor_value_info("answer", onnx.TensorProto.FLOAT, [5, *GRID])
    proto.graph.output.append(info)
    model = opened(proto, tmp_path)
    pictures = np.random.default_rng(0).random((4, 3, *GRID), dtype=np.float32)
    runtime = onnxruntime.InferenceSession(proto.SerializeToString())
    bare = [runtime.run(None, {"image": row[None]})[0].argmax(axis=0) for row in pictures]
    np.testing.assert_array_equal(model(pictures), bare)
