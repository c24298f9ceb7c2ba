"""Ways that were found to make a certificate of a point cloud say what is not so; one test each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest

from onnxcert import AxisRotation, Certificate, Gaussian, OnChannels, PointCloud, Rotation, certify
from onnxcert.cli import run_command_line
from onnxcert.errors import ContractError, InputError, ParameterError
from onnxcert.metrics.part_iou import shape_iou
from onnxcert.metrics.scores import confusion
from onnxcert.statistics.guarantee import describe_attack

N = 40
CATEGORIES = [["table", [0, 1]], ["Lamp", [2]]]
ON_COORDINATES = OnChannels(Gaussian(0.05), 0, 3)


def network(
    contract: Mapping[str, Any] | None = None,
    *,
    channels: int = 3,
    bias: tuple[float, ...] = (0.0, 0.0, 0.0),
    classes: int | str = 3,
) -> onnx.ModelProto:
    """Each point is labelled by itself: 0 where its first value is positive, 1 where negative."""
    weight = np.zeros((3, channels, 1))
    weight[:2, 0, 0] = 1, -1
    return graphs.model(
        f"(float[batch, {channels}, n] points) => (float[batch, {classes}, n] scores)"
        " { scores = Conv(points, w, b) }",
        {"medium": "points", "layout": "BCN", "output_layout": "BCN", **(contract or {})},
        w=weight,
        b=bias,
    )


def shape(category: str = "", features: int = 0) -> PointCloud:
    rng = np.random.default_rng(3)
    points = rng.standard_normal((N, 3)).astype(np.float32)
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    further = rng.random((N, features), dtype=np.float32) if features else None
    return PointCloud(points, normals, further, category)


def rows(category: float = 0.0) -> np.ndarray:
    """Points in the unit sphere, and the number of a category."""
    points = shape().points
    points /= np.linalg.norm(points, axis=1).max()
    return np.concatenate([points.T, np.full((1, N), category, np.float32)])


def certified(model: onnx.ModelProto, folder: Path, x: Any, noise: Any, **more: Any) -> Certificate:
    path = graphs.save(model, folder / "model.onnx")
    return certify(path, x, noise, n=60, seed=1, threads=1, **more)


# -- what the statement says was attacked ----------------------------------------------------------


@pytest.mark.parametrize("of", [Rotation(0.2), AxisRotation(0.2, "z")], ids=lambda p: p.name)
def test_a_rotation_on_channels_turns_all_that_are_named(of: Rotation | AxisRotation) -> None:
    # The first three of six turned, and the statement said that all six do.
    with pytest.raises(ParameterError, match="rotates 3 channels"):
        OnChannels(of, 0, 6, "the coordinates and normals")
    both = type(of)(**{**of.parameters(), "vectors": 2})
    assert "channels 0 to 5" in describe_attack(OnChannels(both, 0, 6), "R", "unit")


def test_channels_are_named_by_their_numbers_whatever_they_are_called() -> None:
    said = describe_attack(
        OnChannels(Gaussian(0.2), 0, 1, "the coordinates and normals"), "R", "unit"
    )
    assert "of the coordinates and normals (channel 0) with" in said
    for name in ("x\nwith probability 1", "x" * 61):
        with pytest.raises(ParameterError, match="called must be"):
            OnChannels(Gaussian(0.2), 0, 1, name)


def test_features_are_not_called_normals(tmp_path: Path) -> None:
    model = network({"channels": "xyz+features", "features": 3}, channels=6)
    with pytest.raises(ParameterError, match="the model takes xyz\\+features"):
        certified(model, tmp_path, shape(features=3), Rotation(0.2, vectors=2))
    said = certified(model, tmp_path, shape(features=3), Rotation(0.2)).statement()
    assert "every rotation of the coordinates alone about" in said


def test_points_that_come_first_are_not_turned_into_each_other() -> None:
    transposed = shape().points
    with pytest.raises(ParameterError, match="seems to be \\[points, channels\\]"):
        certify(
            lambda batch: (batch[:, :, 0] > 0).astype(int), transposed, Rotation(0.2), classes=2
        )


def test_the_unit_speaks_of_all_that_the_norm_is_over(tmp_path: Path) -> None:
    model = network({"channels": "xyz+normals"}, channels=6)
    said = certified(model, tmp_path, shape(), Gaussian(0.2)).statement()
    assert "with L2 norm at most R" in said
    assert "(all points together, coordinates centred at the shape's mean" in said
    many = certified(network({"points": 2 * N}), tmp_path, shape(), Gaussian(0.2), fill=True)
    assert "all points together, copies of points counted each, coordinates" in many.statement()


def test_rows_outside_the_frame_are_not_certified_as_inside_it(tmp_path: Path) -> None:
    far = 1000 * rows()[:3]
    with pytest.raises(InputError, match="a point is 1000 from its centre"):
        certified(network(), tmp_path, far, Gaussian(5.0))
    own = certified(network({"frame": "own"}), tmp_path, far, Gaussian(5.0))
    assert "(all points together, coordinates as the file holds them)" in own.statement()
    assert certified(network(), tmp_path, rows()[:3], Gaussian(0.05)).labels.shape == (N,)


# -- the category ----------------------------------------------------------------------------------


def test_a_category_is_the_one_that_was_told(tmp_path: Path) -> None:
    # Two that differ in letter case only: the last one was taken for both.
    contract = {"categories": [["Lamp", [0]], ["lamp", [1]]], "restricted": True}
    for told, part in (("Lamp", 0), ("lamp", 1)):
        labels = certified(network(contract), tmp_path, shape(told), ON_COORDINATES).labels
        assert set(labels.tolist()) == {part}
    with pytest.raises(InputError, match="got 'LAMP'"):
        certified(network(contract), tmp_path, shape("LAMP"), ON_COORDINATES)
    contract["categories"] = CATEGORIES
    labels = certified(network(contract), tmp_path, shape("lAMP"), ON_COORDINATES).labels
    assert set(labels.tolist()) == {2}


@pytest.mark.parametrize("number", [-1.0, 2.0, 0.4, 1.5])
def test_a_row_that_tells_no_category_is_not_taken_for_one(tmp_path: Path, number: float) -> None:
    contract = {"categories": CATEGORIES, "restricted": True}
    with pytest.raises(InputError, match="one number from 0 to 1, the shape's category"):
        certified(network(contract), tmp_path, rows(number), ON_COORDINATES)
    mixed = rows(0.0)
    mixed[-1, 1:] = 1
    with pytest.raises(InputError, match="got values from 0 to 1"):
        certified(network(contract), tmp_path, mixed, ON_COORDINATES)


def test_class_indices_are_not_said_to_be_restricted(tmp_path: Path) -> None:
    # They were certified as parts that the category does not have.
    model = graphs.model(
        "(float[batch, 3, n] points) => (int64[batch, 1, n] labels)"
        " { s = Conv(points, w, b) labels = ArgMax<axis = 1>(s) }",
        w=np.zeros((3, 3, 1)),
        b=[0.0, 0.0, 9.0],
        contract={
            **{"medium": "points", "layout": "BCN", "output_form": "labels", "classes": 3},
            **{"categories": CATEGORIES, "restricted": True, "task": "segmentation"},
        },
    )
    with pytest.raises(ContractError, match="need scores of several classes"):
        certified(model, tmp_path, shape("table"), ON_COORDINATES)


def test_parts_of_a_number_that_the_graph_leaves_open_are_restricted_as_well(
    tmp_path: Path,
) -> None:
    fields = {"categories": CATEGORIES, "restricted": True}
    found, wanted = (
        certified(network(fields, **said), tmp_path, shape("table"), ON_COORDINATES)
        for said in ({"classes": "k"}, {})
    )
    assert np.array_equal(found.tally.hits, wanted.tally.hits)
    assert np.array_equal(found.labels, wanted.labels)


# -- a run -----------------------------------------------------------------------------------------


class Bench:
    """A folder with two shapes, and runs over them by the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shapes = folder / "shapes"
        self.shapes.mkdir()
        for i in range(2):
            rng = np.random.default_rng(i)
            points = rng.standard_normal((N, 3)).astype(np.float32)
            np.savez(
                self.shapes / f"s{i}.npz", points=points, labels=(points[:, 0] < 0).astype(int)
            )

    def model(self, name: str, **contract: Any) -> str:
        return str(graphs.save(network(contract), self.folder / name))

    def certify(self, *arguments: str) -> int:
        common = ("--sigma", "0.05", "--n", "60", "--threads", "1", "--no-pictures", "--seed", "1")
        return run_command_line(
            ["certify", arguments[0], str(self.shapes), *common, *arguments[1:]]
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_run_goes_on_with_the_categories_it_began_with(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    # Where no answer depends on the category the tables by category do: shapes of two names.
    model, out = bench.model("m.onnx", categories=CATEGORIES), str(bench.folder / "out")
    assert bench.certify(model, "--category", "table", "--limit", "1", "--out", out) == 0
    assert bench.certify(model, "--category", "lamp", "--out", out) == 2
    assert "has the category 'Lamp', but had 'table'" in capsys.readouterr().err
    assert bench.certify(model, "--category", "TABLE", "--out", out) == 0


@pytest.mark.parametrize("before", [True, False], ids=["other labels", "labels at last"])
def test_labels_inside_the_file_do_not_change_unnoticed(
    bench: Bench, capsys: pytest.CaptureFixture[str], before: bool
) -> None:
    # The table was then made of shapes with the old labels and others with the new.
    model, out = bench.model("m.onnx"), str(bench.folder / "out")
    first = bench.shapes / "s0.npz"
    held = dict(np.load(first))
    if not before:
        np.savez(first, points=held["points"])
    assert bench.certify(model, "--limit", "1", "--out", out) == 0
    np.savez(first, points=held["points"], labels=1 - held["labels"])
    assert bench.certify(model, "--out", out) == 2
    assert "s0.npz has changed since" in capsys.readouterr().err


def test_a_decision_again_says_which_labels_it_lacks(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    # Its accuracy was over fewer shapes than the one beside it, and nothing said so.
    out = str(bench.folder / "out")
    assert bench.certify(bench.model("m.onnx"), "--out", out) == 0
    assert run_command_line(["decide", out, "--alpha", "0.01"]) == 0
    assert "the ground truth of some inputs" not in capsys.readouterr().out
    first = bench.shapes / "s0.npz"
    held = dict(np.load(first))
    np.savez(first, points=held["points"], labels=1 - held["labels"])
    assert run_command_line(["decide", out, "--alpha", "0.01"]) == 0
    assert "note: the ground truth of some inputs is missing" in capsys.readouterr().out


def test_another_model_is_not_shown_shapes_in_a_frame_that_is_not_its_own(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, other = bench.model("mine.onnx"), bench.model("other.onnx", frame="own")
    out = str(bench.folder / "out")
    assert bench.certify(mine, "--nonrobust", other, "--out", out) == 2
    said = capsys.readouterr().err
    assert said.startswith("onnxcert: both models must use")
    assert "frame" in said


# -- what the table says ---------------------------------------------------------------------------


def part_iou(*predicted: int) -> float | None:
    """IoU of a shape of class 0 alone, where shapes of its category may have four parts."""
    answer = np.array(predicted)
    return shape_iou(
        confusion(np.zeros_like(answer), answer, classes=4, ignore_label=None), (0, 1, 2, 3)
    )


def test_abstaining_is_no_way_to_an_iou_of_parts_that_are_not_there() -> None:
    # All abstaining once gave 3/4; and three points abstaining .97 in place of .24 for three wrong.
    assert part_iou(*[-1] * 100) == 0
    for absent in range(4):
        wrong, instead = range(1, absent + 1), [-1] * absent
        assert part_iou(*[0] * 97, *instead) == part_iou(*[0] * 97, *wrong)
    assert part_iou(0, 0, -1, -1, 1) == part_iou(0, 0, 2, 3, 1)


def test_a_classifier_has_no_iou_of_parts(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    # Right or wrong about a whole shape was printed as the IoU of its parts.
    model = graphs.model(
        "(float[batch, 3, n] points) => (float[batch, 3] scores)"
        " { each = Conv(points, w) scores = ReduceMax<axes = [2], keepdims = 0>(each) }",
        w=np.eye(3)[:, :, None],
        contract={
            **{"medium": "points", "layout": "BCN", "class_names": ["table", "Lamp", "cup"]},
            "categories": [*CATEGORIES, ["cup", [0]]],
        },
    )
    path = str(graphs.save(model, bench.folder / "m.onnx"))
    assert bench.certify(path, "--category", "table", "--out", str(bench.folder / "out")) == 0
    said = capsys.readouterr().out
    assert "accuracy" in said
    assert "instance" not in said
