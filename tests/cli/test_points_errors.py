"""Mistakes of a first day with point clouds: refused before anything is drawn, in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import save
from pointgraphs import Dialect, Network, halves, of_category, write_shape

import onnxcert as package
from onnxcert import Gaussian, PointCloud
from onnxcert.data.points.shapenet import CATEGORY_TABLE


@pytest.fixture(autouse=True)
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save(of_category(), Path("category.onnx"))
    save(halves(), Path("halves.onnx"))
    save(halves(channels=6), Path("normals.onnx"))
    save(Dialect(layout="BNC", output_layout="BNC").proto(Network(3, 5)), Path("rows.onnx"))
    write_shape(Path("shapes/s0.npz"), seed=0, category="chair")
    return tmp_path


def refused(outcome: Any, *words: str) -> None:
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err, outcome.err


def test_the_values_of_a_point_are_not_taken_for_three_points(onnxcert: Any) -> None:
    asked = ("certify", "rows.onnx", "shapes", "--sigma", "0.1")
    refused(onnxcert(*asked, "--layout", "BCN"), "3 points", "--layout BNC")


def test_a_category_that_the_model_does_not_know(onnxcert: Any) -> None:
    asked = ("certify", "category.onnx", "shapes", "--sigma", "0.1", "--category")
    refused(onnxcert(*asked, "chiar"), "--category must be one of", "chair", "'chiar'")


def test_the_layout_of_shapenet_is_told_from_a_folder_of_clouds(onnxcert: Any) -> None:
    Path("shapenet").mkdir()
    Path("shapenet", CATEGORY_TABLE).write_text("Chair\t03001627\n")
    asked = ("certify", "halves.onnx", "shapenet", "--sigma", "0.1")
    refused(onnxcert(*asked), "--dataset shapenet-part")


def test_a_shape_that_lacks_what_the_model_takes_is_named(onnxcert: Any) -> None:
    np.save("bare.npy", np.random.default_rng(0).normal(size=(50, 3)))
    asked = ("certify", "normals.onnx", "bare.npy", "--sigma", "0.1")
    refused(onnxcert(*asked), "bare.npy", "normals")


def test_a_sigma_that_suits_shapes_is_proposed(onnxcert: Any) -> None:
    refused(onnxcert("certify", "halves.onnx", "shapes"), "--sigma 0.05")


def test_rotations_of_pictures_are_refused_before_a_sigma_is_asked_for(onnxcert: Any) -> None:
    asked = ("certify", "street", "--perturbation", "rotation")
    refused(onnxcert(*asked), "rotations are for point clouds")


def test_what_nobody_said_of_the_frame_is_shown_as_assumed(onnxcert: Any) -> None:
    shown = onnxcert("inspect", "halves.onnx").out
    line = next(line for line in shown.splitlines() if line.startswith("frame"))
    assert "unit-sphere" in line
    assert "assumed" in line


def test_a_model_of_pictures_refuses_a_cloud() -> None:
    cloud = PointCloud(np.eye(3, dtype=np.float32))
    with pytest.raises(package.OnnxcertError, match="takes images, got a point cloud"):
        package.certify("street", cloud, Gaussian(0.25))
