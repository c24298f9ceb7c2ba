"""From an item to what the model gets: frame first, then points, labels along with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cloud_writers import hdf5, npz, shape

from onnxcert.data import ClassLabel, Item
from onnxcert.data.points import (
    PointCloud,
    choose_rows,
    describe_duplicates,
    describe_missing_normals,
    normalise,
    read_cloud_item,
)
from onnxcert.errors import InputError

CLOUD = shape(60)


def written(path: Path, cloud: PointCloud) -> Item:
    path.write_bytes(
        npz(
            points=cloud.points, normals=cloud.normals, features=cloud.features,
            labels=cloud.labels, category=cloud.category,
        )
    )  # fmt: skip
    return Item(path.stem, path, None)


def prepared(item: Item, points: int | None, *, fill: bool = False) -> PointCloud:
    return read_cloud_item(item, columns=None, frame="unit-sphere", points=points, fill=fill)


@pytest.mark.parametrize("count", [None, 20, 60, 100])
def test_the_frame_is_that_of_all_points_of_the_file(tmp_path: Path, count: int | None) -> None:
    cloud = prepared(written(tmp_path / "x.npz", CLOUD), count, fill=True)
    rows = np.arange(60) if count is None else choose_rows(60, count)
    whole = normalise(CLOUD, "unit-sphere")
    for name in ("points", "normals", "features", "labels"):
        np.testing.assert_array_equal(getattr(cloud, name), getattr(whole, name)[rows])
    assert cloud.category == "chair"


def test_what_the_listing_says_counts_before_the_file(tmp_path: Path) -> None:
    item, labels = written(tmp_path / "x.npz", CLOUD), tmp_path / "l.txt"
    labels.write_text("".join(f"{100 + i}\n" for i in range(60)))
    cloud = prepared(replace(item, label=labels, category="Mug"), 20)
    np.testing.assert_array_equal(cloud.labels, 100 + choose_rows(60, 20))
    assert cloud.category == "Mug"
    # A table of classes is no file of labels.
    table = replace(item, label=tmp_path / "t.csv", class_label=ClassLabel("3", "t.csv"))
    np.testing.assert_array_equal(prepared(table, None).labels, CLOUD.labels)


def test_each_shape_of_a_file_is_prepared_by_its_index(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    same = np.ones((60, 3), np.float32)
    path.write_bytes(hdf5(data=np.stack([CLOUD.points, same])))
    np.testing.assert_array_equal(
        prepared(Item("x", path, None, index=0), None).points,
        normalise(CLOUD, "unit-sphere").points,
    )
    with pytest.raises(InputError, match=r"x\.h5, shape 1: expected .* all 60 lie at 1, 1, 1"):
        prepared(Item("x", path, None, index=1), None)


def test_what_cannot_be_prepared_names_its_file(tmp_path: Path) -> None:
    item = written(tmp_path / "x.npz", CLOUD)
    with pytest.raises(InputError, match=r"x\.npz: expected .*--fill"):
        prepared(item, 61)
    labels = tmp_path / "l.txt"
    labels.write_text("1\n" * 59)
    with pytest.raises(InputError, match=r"l\.txt: expected 60 lines"):
        prepared(replace(item, label=labels), 20)


def test_what_is_odd_is_said_once_and_changes_nothing(tmp_path: Path) -> None:
    assert CLOUD.normals is not None
    points, normals = CLOUD.points.copy(), CLOUD.normals.copy()
    points[5] = points[4]
    normals[:3] = 0
    item = written(tmp_path / "x.npz", replace(CLOUD, points=points, normals=normals))
    cloud = read_cloud_item(item, columns=None, frame="own", points=None, fill=False)
    odd = (describe_duplicates(cloud), describe_missing_normals(cloud))
    assert [one.partition(" points")[0] for one in odd] == ["1 of 60", "3 of 60"]
    np.testing.assert_array_equal(cloud.points, points)
    np.testing.assert_array_equal(cloud.normals, normals)
