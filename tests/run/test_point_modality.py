"""Clouds as a run goes through them, and once more as verify does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from graphs import save
from pointgraphs import halves, of_category, write_shape

from onnxcert import Gaussian, OnnxSegmenter, ResultStore
from onnxcert.audit.sources import InputRecipe, reread_truth
from onnxcert.cli import run_command_line
from onnxcert.data import Listing
from onnxcert.data.points import PointCloud, list_clouds
from onnxcert.errors import InputError
from onnxcert.results import Record
from onnxcert.run.modality import ImageModality, PointCloudModality, select_modality
from onnxcert.sampling.draws import digest
from onnxcert.statistics.guarantee import describe_noise


def segmenter(folder: Path, **more: Any) -> OnnxSegmenter:
    return OnnxSegmenter.open(save(halves(), folder / "model.onnx"), threads=1, **more)


def listed(*paths: Path) -> Listing:
    return list_clouds([str(path) for path in paths], None)


def test_the_model_tells_the_medium(tmp_path: Path) -> None:
    listing = listed(write_shape(tmp_path / "a.npz"))
    assert isinstance(select_modality(segmenter(tmp_path).entry, listing, None), PointCloudModality)
    path = graphs.save(graphs.threshold(), tmp_path / "picture.onnx")
    assert isinstance(select_modality(OnnxSegmenter.open(path).entry, listing, None), ImageModality)


def test_a_prepared_cloud_and_its_truth_have_the_points_that_are_kept(tmp_path: Path) -> None:
    listing = listed(write_shape(tmp_path / "a.npz", many=90))
    model = segmenter(tmp_path, points=40)
    medium = select_modality(model.entry, listing, None)
    usable, unreadable = medium.usable()
    assert (list(usable.values()), unreadable) == ([40], {})
    item = next(iter(usable))
    cloud = medium.read(item)
    truth = medium.truth(item, cloud, classes=2, names=())
    assert isinstance(cloud, PointCloud)
    assert truth is not None
    assert (len(cloud), truth.shape) == (40, (40,))
    assert model.to_array(cloud).shape == (3, 40)
    # Labels go the way of their points: 1 where a point lies beyond the mean of all 90.
    assert cloud.points[truth == 1, 0].min() > cloud.points[truth == 0, 0].max()


def test_a_file_that_cannot_be_opened_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK no")
    listing = listed(write_shape(tmp_path / "good.npz"), tmp_path / "bad.npz")
    usable, unreadable = select_modality(segmenter(tmp_path).entry, listing, None).usable()
    assert [item.name for item in usable] == ["good"]
    assert list(unreadable) == ["bad"]
    assert "bad.npz" in unreadable["bad"]


@pytest.mark.parametrize(("ignored", "fits"), [(None, False), (9, True), (3, False)])
def test_labels_beyond_the_classes_are_refused_unless_they_do_not_count(
    ignored: int | None, fits: bool, tmp_path: Path
) -> None:
    labels = np.zeros(60, np.int64)
    labels[4] = 9
    listing = listed(write_shape(tmp_path / "a.npz", labels=labels))
    medium = select_modality(segmenter(tmp_path).entry, listing, ignored)
    item = listing.items[0]
    if fits:
        truth = medium.truth(item, medium.read(item), classes=2, names=())
        assert truth is not None
        assert truth[4] == 9
        return
    with pytest.raises(InputError, match="--ignore-label 9"):
        medium.truth(item, medium.read(item), classes=2, names=())


# -- once more -----------------------------------------------------------------------------------


@pytest.fixture
def done(tmp_path: Path) -> Record:
    """The record of a shape whose category, columns and number of points all matter."""
    rng = np.random.default_rng(2)
    rows = np.column_stack([np.zeros(90), rng.normal(size=(90, 3)), np.arange(90) % 2])
    np.savetxt(tmp_path / "a.txt", rows)
    model = save(of_category(), tmp_path / "model.onnx")
    command = ["certify", model, tmp_path / "a.txt", "--columns", "skip,xyz,label", "--json"]
    command += ["--category", "lamp", "--points", "50", "--sigma", "0.1", "--n", "60"]
    command += ["--threads", "1", "--no-pictures", "--out", tmp_path / "out", "--passes", "2"]
    assert run_command_line([str(word) for word in command]) == 0
    return ResultStore(tmp_path / "out").read("a")


def test_the_way_of_a_record_makes_its_input_again(done: Record) -> None:
    way = InputRecipe.of(done)
    x, labels = way.read(way.item(done))
    assert digest(x) == done.tally.draws.digest
    assert labels is not None
    truth = reread_truth(done)
    assert truth is not None
    assert np.array_equal(truth, labels)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", 51),
        ("frame", "own"),
        ("channels", "voxels"),
        ("categories", [["lamp", [1]]]),
        ("categories", 3),
        ("passes", "many"),
        ("features", -1),
        ("restricted", "yes"),
        ("layout", ["BCN"]),
        ("category_input", ""),
    ],
)
def test_another_contract_does_not_make_it(field: str, value: Any, done: Record) -> None:
    does_not_make_it(done, contract={**done.provenance.contract, field: value})


@pytest.mark.parametrize("value", ["rocket", "", "boat", 3, None])
def test_another_category_does_not_make_it(value: Any, done: Record) -> None:
    does_not_make_it(done, input={**done.provenance.input, "category": value})


def does_not_make_it(done: Record, **changes: Any) -> None:
    """The input is refused, or another than the one that was certified."""
    changed = replace(done, provenance=replace(done.provenance, **changes))
    try:
        way = InputRecipe.of(changed)
        x, _ = way.read(way.item(changed))
    except InputError:
        return
    assert digest(x) != done.tally.draws.digest


def test_truth_that_changed_is_none(done: Record, tmp_path: Path) -> None:
    rows = np.loadtxt(tmp_path / "a.txt")
    rows[:, -1] = 1 - rows[:, -1]
    np.savetxt(tmp_path / "a.txt", rows)
    assert reread_truth(done) is None


def test_noise_is_named_as_it_was_drawn(done: Record) -> None:
    perturbation = done.tally.draws.perturbation
    assert describe_noise(perturbation).endswith("on the coordinates (channels 0 to 2)")
    assert perturbation.of == Gaussian(0.1)  # type: ignore[attr-defined]
