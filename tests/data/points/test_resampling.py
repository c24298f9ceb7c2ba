"""The points that are kept: a choice by number, one for x and for every x + d."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from cloud_writers import shape
from hypothesis import given
from hypothesis import strategies as st

from onnxcert.data.points import PointCloud, choose_rows, describe_duplicates, resample
from onnxcert.errors import InputError, ParameterError


def numbered(points: int, seed: int) -> PointCloud:
    """Any coordinates, and the number of each point as its label."""
    cloud = shape(points, seed)
    return replace(cloud, labels=np.arange(points, dtype=np.int32))


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 99), st.integers(0, 99))
def test_the_choice_never_depends_on_the_coordinates(
    points: int, count: int, seed: int, other: int
) -> None:
    x = numbered(points, seed)
    d = np.random.default_rng(other).normal(size=x.points.shape).astype(np.float32)
    moved = replace(x, points=x.points + d)
    rows = resample(x, count, fill=True).labels
    np.testing.assert_array_equal(rows, resample(moved, count, fill=True).labels)
    np.testing.assert_array_equal(rows, resample(numbered(points, other), count, fill=True).labels)
    np.testing.assert_array_equal(rows, choose_rows(points, count))


@given(st.integers(1, 400), st.integers(1, 1500))
def test_points_keep_their_order_and_repeat_as_little_as_can_be(points: int, count: int) -> None:
    rows = choose_rows(points, count)
    assert len(rows) == count
    assert (np.diff(rows) >= 0).all()
    times = np.bincount(rows, minlength=points)
    assert len(times) == points
    assert times.max() - times.min() <= 1


@given(st.integers(2, 400), st.data())
def test_fewer_points_are_among_more(points: int, data: st.DataObject) -> None:
    some = data.draw(st.integers(1, points))
    fewer = data.draw(st.integers(1, some))
    assert set(choose_rows(points, fewer)) <= set(choose_rows(points, some))


def test_everything_known_of_a_point_goes_with_it() -> None:
    cloud = shape(100)
    for count in (30, 100, 250):
        rows, part = choose_rows(100, count), resample(cloud, count, fill=True)
        for name in ("points", "normals", "features", "labels"):
            np.testing.assert_array_equal(getattr(part, name), getattr(cloud, name)[rows])
        assert part.category == "chair"
    bare = resample(PointCloud(cloud.points), 30, fill=False)
    assert (bare.normals, bare.features, bare.labels) == (None, None, None)
    assert resample(cloud, None, fill=False) is cloud


def test_the_choice_is_spread_over_the_file() -> None:
    # Of 8192 points in 8 blocks, 2048 take about 256 from each; 5 standard deviations are 65.
    blocks = np.bincount(choose_rows(8192, 2048) // 1024)
    assert np.abs(blocks - 256).max() < 65


def test_the_choice_is_the_same_for_ever() -> None:
    # Stored results depend on it: a digest of the choice as it was when the first were made.
    rows = np.concatenate([choose_rows(2874, 2048), choose_rows(500, 2048)]).astype("<u4")
    assert choose_rows(10, 4).tolist() == [1, 2, 4, 9]
    assert hashlib.sha256(rows.tobytes()).hexdigest()[:16] == "d6994f7cce45483d"


def test_too_few_points_are_refused_unless_filled() -> None:
    cloud = shape(40)
    with pytest.raises(InputError, match=r"at least 41 points.*there are 40.*--fill"):
        resample(cloud, 41, fill=False)
    assert len(resample(cloud, 41, fill=True)) == 41
    for count in (0, -1, 10_000_001):
        with pytest.raises(ParameterError, match="10,000,000"):
            resample(cloud, count, fill=True)


def test_duplicates_are_counted() -> None:
    cloud = shape(50)
    assert describe_duplicates(cloud) == ""
    points = cloud.points.copy()
    points[[7, 9]] = points[3]
    points[30] = 0
    points[31] = -0.0
    assert describe_duplicates(replace(cloud, points=points)).startswith(
        "3 of 50 points lie exactly"
    )
    points[[7, 9, 31]] = cloud.points[[7, 9, 31]]
    points[0] = points[1]
    assert describe_duplicates(replace(cloud, points=points)).startswith(
        "1 of 50 points lies exactly"
    )
    # No coordinate alone makes a point.
    points = np.indices((3, 3, 3)).reshape(3, 27).T.astype(np.float32)
    assert describe_duplicates(PointCloud(points)) == ""
