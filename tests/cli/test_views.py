"""Scales, mirror images and tiles from the command line: certified, kept, compared, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
import zoo
from pointgraphs import halves

from onnxcert import Gaussian, OnnxSegmenter, ResultStore, certify
from onnxcert.data import read_image
from onnxcert.model.adapter.resize import Fit

COUNT = ["--sigma", "0.2", "--n", "60", "--seed", "3", "--device", "cpu", "--threads", "1"]
VIEWS = ["--scales", "0.5,1", "--flip", "--tile", "8x6", "--overlap", "3"]
CONV = zoo.Conv3.random(4, seed=58)


@pytest.fixture(autouse=True)
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of any size, one of 8x6 pixels, one of points, and two pictures."""
    monkeypatch.chdir(tmp_path)
    graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), Path("model.onnx"))
    graphs.save(zoo.Dialect(size=(8, 6)).proto(CONV), Path("fixed.onnx"))
    for i, size in enumerate([(17, 13), (9, 20)]):
        zoo.write_picture(Path("pictures", f"p{i}.png"), zoo.picture(*size, seed=i))


@pytest.mark.slow
def test_a_run_is_certified_as_the_function_it_names(onnxcert: Any) -> None:
    done = onnxcert("certify", "model.onnx", "pictures", *VIEWS, *COUNT, "--out", "out")
    assert done.status == 0, done.err
    words = (
        "scores averaged over the scales 0.5, 1; mirror images; tiles of 8x6 that overlap by 3x3"
    )
    assert words in done.out
    fit = Fit(scales=(0.5, 1.0), flip=True, tile=(8, 6), overlap=(3, 3))
    segmenter = OnnxSegmenter.open("model.onnx", fit=fit, device="cpu", threads=1)
    store = ResultStore(Path("out"))
    for name in ("p0", "p1"):
        record = store.read(name)
        x = read_image(Path("pictures", f"{name}.png"))
        found = certify(segmenter, x, Gaussian(0.2), n=60, seed=3)
        np.testing.assert_array_equal(record.labels, found.labels)
        asked = record.provenance.parameters
        assert {name: asked[name] for name in ("scales", "flip", "tile", "overlap")} == {
            "scales": [0.5, 1.0],
            "flip": True,
            "tile": "8x6",
            "overlap": "3x3",
        }
        assert words in record.decision.statement
    assert onnxcert("verify", "out").status == 0
    assert Path("out", "pictures", "p0.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        [],
        VIEWS[:2],
        VIEWS[:3],
        [*VIEWS[:-1], "4"],
        ["--scales", "0.5,0.75,1", *VIEWS[2:]],
        ["--scales", "0.5,1", "--flip", "--tile", "8x8", "--overlap", "3"],
    ],
    ids=" ".join,
)
def test_a_run_goes_on_with_the_same_views_only(other: list[str], onnxcert: Any) -> None:
    first = ["certify", "model.onnx", "pictures/p0.png", *VIEWS, *COUNT, "--out", "out"]
    assert onnxcert(*first).status == 0
    assert onnxcert(*first).status == 0
    done = onnxcert("certify", "model.onnx", "pictures", *other, *COUNT, "--out", "out")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "choose another folder" in done.err
    assert ResultStore(Path("out")).names() == ["p0"]


def test_the_order_in_which_scales_are_named_is_no_matter(onnxcert: Any) -> None:
    for scales in ("1,0.5", "0.5,1"):
        flags = ["--scales", scales, *COUNT, "--out", "out"]
        assert onnxcert("certify", "model.onnx", "pictures", *flags).status == 0


@pytest.mark.slow
def test_tiles_of_the_one_size_that_a_model_takes(onnxcert: Any) -> None:
    flags = ["--range", "0,1", *COUNT, "--no-pictures"]
    refused = onnxcert("certify", "fixed.onnx", "pictures", *flags, "--flip")
    assert refused.status == 2
    assert "pass --tile model" in refused.err
    tiles = ["--tile", "model", "--scales", "0.75,1,1.5", "--out", "out"]
    done = onnxcert("certify", "fixed.onnx", "pictures/p0.png", *flags, *tiles)
    assert done.status == 0, done.err
    assert ResultStore(Path("out")).read("p0").provenance.parameters["tile"] == "8x6"


def test_inspect_draws_what_several_views_answer(onnxcert: Any) -> None:
    done = onnxcert("inspect", "model.onnx", "pictures/p0.png", *VIEWS, "--out", "seen.png")
    assert done.status == 0, done.err
    assert Path("seen.png").is_file()
    tiles = ["--range", "0,1", "--tile", "model", "--out", "tiles.png"]
    assert onnxcert("inspect", "fixed.onnx", "pictures/p0.png", *tiles).status == 0
    assert Path("tiles.png").is_file()


@pytest.mark.parametrize(
    "flags",
    [
        ["--scales", "half"],
        ["--scales", "0.5,-1"],
        ["--scales", "0.5,1", "--scale", "0.5"],
        ["--scales", "0.5,1", "--size", "8x8"],
        ["--scales", "1,2,3,4,5,6,7,8,9"],
        ["--tile", "8"],
        ["--tile", "8x"],
        ["--tile", "model"],
        ["--tile", "8x8", "--overlap", "8"],
        ["--tile", "8x8", "--overlap", "-1"],
        ["--tile", "8x8", "--overlap", "2x"],
        ["--overlap", "3"],
        ["--flip", "--grid", "model"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("command", ["certify", "plan"])
def test_views_that_make_no_sense_are_one_sentence(
    command: str, flags: list[str], onnxcert: Any
) -> None:
    inputs = ["pictures"] if command == "certify" else ["--picture", "9x9"]
    done = onnxcert(command, "model.onnx", *inputs, "--sigma", "0.2", *flags)
    assert (done.status, done.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("flags", [["--flip"], ["--scales", "0.5,1"], ["--tile", "model"]])
@pytest.mark.parametrize("command", ["certify", "inspect"])
def test_points_have_no_views(command: str, flags: list[str], onnxcert: Any) -> None:
    graphs.save(halves(), Path("points.onnx"))
    np.save("shape.npy", np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
    done = onnxcert(command, "points.onnx", "shape.npy", *flags)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "are for images, but the model takes points" in done.err
