"""The frame: what it does to a cloud, and what no cloud can have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cloud_writers import shape
from hypothesis import given
from hypothesis import strategies as st

from onnxcert._typing import FloatArray
from onnxcert.data.points import PointCloud, describe_missing_normals, normalise
from onnxcert.errors import InputError, ParameterError


def cloud_of(seed: int, points: int, scale: float, offset: float) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(points, 3)) + offset).astype(np.float32)


@given(st.integers(0, 2**32), st.integers(2, 300), st.floats(-30, 30), st.floats(-2, 2))
def test_the_mean_is_the_origin_and_the_farthest_point_has_length_one(
    seed: int, points: int, magnitude: float, offset: float
) -> None:
    scale = 10.0**magnitude
    cloud = PointCloud(cloud_of(seed, points, scale, offset * scale))
    inside = normalise(cloud, "unit-sphere").points
    assert inside.dtype == np.float32
    lengths = np.linalg.norm(inside.astype(np.float64), axis=1)
    assert lengths.max() == pytest.approx(1, abs=2e-7)
    assert np.abs(inside.astype(np.float64).mean(axis=0)).max() < 1e-7
    # What it does is one translation and one scale: differences keep their ratios.
    before, after = (np.diff(p.astype(np.float64), axis=0) for p in (cloud.points, inside))
    ratio = np.linalg.norm(after) / np.linalg.norm(before)
    np.testing.assert_allclose(after, before * ratio, atol=3e-7)


def test_the_frame_does_not_depend_on_the_order_of_the_points() -> None:
    wide = np.array([[2.0**60] * 3, [1, 2, 3], [-(2.0**60)] * 3, [4, 5, 6]], np.float32)
    for points in (cloud_of(1, 5000, 1e3, 700), wide):
        for seed in range(6):
            order = np.random.default_rng(seed).permutation(len(points))
            np.testing.assert_array_equal(
                normalise(PointCloud(points), "unit-sphere").points[order],
                normalise(PointCloud(points[order]), "unit-sphere").points,
            )


def test_a_power_of_two_changes_no_bit_and_a_frame_twice_next_to_none() -> None:
    cloud = shape(500)
    once = normalise(cloud, "unit-sphere").points
    for scale in (2.0**-20, 2.0**20):
        scaled = replace(cloud, points=cloud.points * np.float32(scale))
        np.testing.assert_array_equal(normalise(scaled, "unit-sphere").points, once)
    again = normalise(replace(cloud, points=once), "unit-sphere").points
    np.testing.assert_allclose(again, once, atol=3e-7)


def test_its_own_frame_keeps_coordinates_and_all_else() -> None:
    cloud = shape()
    own, unit = normalise(cloud, "own"), normalise(cloud, "unit-sphere")
    np.testing.assert_array_equal(own.points, cloud.points)
    for one in (own, unit):
        for name in ("normals", "features", "labels"):
            np.testing.assert_array_equal(getattr(one, name), getattr(cloud, name))
        assert one.category == "chair"


@pytest.mark.parametrize("points", [1, 2, 977])
def test_points_that_are_all_the_same_have_no_unit_of_length(points: int) -> None:
    place = np.array([0.1, 1 / 3, 1e6], np.float32)
    same = PointCloud(np.tile(place, (points, 1)))
    with pytest.raises(InputError, match=f"all {points} lie at 0.1, 0.333333, 1e"):
        normalise(same, "unit-sphere")
    np.testing.assert_array_equal(normalise(same, "own").points, same.points)


def test_the_largest_coordinates_there_are_have_a_frame_as_well() -> None:
    huge = np.finfo(np.float32).max
    corners = huge * (2 * np.indices((2, 2, 2)).reshape(3, 8).T - 1).astype(np.float32)
    inside = normalise(PointCloud(corners), "unit-sphere").points
    np.testing.assert_allclose(inside, np.sign(corners) / np.sqrt(3), rtol=1e-6)


def test_a_frame_nobody_knows_is_refused() -> None:
    with pytest.raises(ParameterError, match="unit-sphere or own"):
        normalise(shape(), "cube")  # type: ignore[arg-type]


def test_normals_become_unit_vectors_and_missing_ones_stay_missing() -> None:
    cloud = shape(6)
    assert cloud.normals is not None
    factors = np.array([1, 0.9995, 3, 1e-20, 0, 1e20], np.float32)[:, None]
    odd = replace(cloud, normals=cloud.normals * factors)
    unit = normalise(odd, "own").normals
    assert unit is not None
    np.testing.assert_array_equal(unit[:2], odd.normals[:2])  # type: ignore[index]
    np.testing.assert_allclose(unit[[2, 3, 5]], cloud.normals[[2, 3, 5]], atol=1e-6)
    assert not unit[4].any()
    assert describe_missing_normals(odd).startswith("1 of 6 points has")
    assert describe_missing_normals(cloud) == ""
    assert describe_missing_normals(replace(cloud, normals=None)) == ""
