"""Rendering: what is nearer hides what is behind; colours keep their hue; every shape is drawn."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solids import chair, sphere

from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.errors import ParameterError
from onnxcert.report.figures import palette
from onnxcert.report.figures.points.axes import GROUND, Scene
from onnxcert.report.figures.points.rendering import FINE, Rendering, Surface, Window
from onnxcert.report.figures.points.viewpoint import Viewpoint
from onnxcert.statistics.certificate import ABSTAIN

COLOURS = palette.colours(3)


def rendered(points: np.ndarray, viewpoint: Viewpoint, scale: float = 100.0) -> Rendering:
    surface = Surface.of(PointCloud(points.astype(np.float32)))
    return Rendering.of(surface, viewpoint, Window(0, 0, scale, 300, 300))


def whole_blocks(view: Rendering, labels: np.ndarray) -> np.ndarray:
    """The class of each pixel shown where all its fine pixels are of one; -2 elsewhere."""
    fine = np.where(view.visible >= 0, labels[view.visible], -2)
    h, w = fine.shape[0] // FINE, fine.shape[1] // FINE
    blocks = fine.reshape(h, FINE, w, FINE).transpose(0, 2, 1, 3).reshape(h, w, -1)
    return np.where((blocks == blocks[..., :1]).all(axis=2), blocks[..., 0], -2)


@given(st.integers(0, 2**32 - 1), st.floats(0, 360), st.floats(-80, 80), st.integers(2, 60))
def test_no_point_is_hidden_by_one_further_away(
    seed: int, azimuth: float, elevation: float, count: int
) -> None:
    points = np.random.default_rng(seed).uniform(-1, 1, (count, 3)).astype(np.float32)
    viewpoint, window = Viewpoint.around(azimuth, elevation), Window(0, 0, 80.0, 300, 300)
    surface = Surface.of(PointCloud(points))
    view = Rendering.of(surface, viewpoint, window)
    seen = viewpoint.project(surface.points)
    row, column = window.pixels(seen)
    shown = view.visible[row, column]  # in the middle of each point's ball
    assert (shown >= 0).all()
    assert (seen[shown, 2] >= seen[:, 2] - 2 / window.scale).all()


def test_of_two_points_on_one_ray_the_nearer_is_seen_from_either_side() -> None:
    points = np.array([[0, 0, 0.5], [0, 0, -0.5]])
    for azimuth, nearer in ((90, 1), (-90, 0)):
        view = rendered(points, Viewpoint.around(azimuth, 0))
        assert set(np.unique(view.visible).tolist()) == {-1, nearer}


def test_the_order_of_the_points_does_not_matter() -> None:
    cloud = chair(800)
    order = np.random.default_rng(1).permutation(len(cloud))
    assert cloud.normals is not None
    mixed = PointCloud(cloud.points[order], cloud.normals[order])
    for one, other in zip(Scene.of(cloud).views, Scene.of(mixed).views, strict=True):
        back = np.where(other.visible >= 0, order[other.visible], -1)
        assert (one.visible == back).mean() > 0.999  # two may touch in the very same depth


def test_frames_are_right_handed_and_upright() -> None:
    for azimuth in range(0, 360, 30):
        for elevation in (-60, 0, 45, 89):
            frame = Viewpoint.around(azimuth, elevation).frame
            np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
            assert np.linalg.det(frame) == pytest.approx(1)
            assert frame[1, 1] > 0
            assert frame[2, 1] == pytest.approx(np.sin(np.deg2rad(elevation)))
    np.testing.assert_allclose(Viewpoint.around(-90, 0).frame, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(Viewpoint.along((0, 2, 0)).frame[2], [0, 1, 0])
    with pytest.raises(ParameterError, match="direction"):
        Viewpoint.along((0, 0, 0))


@pytest.mark.slow
def test_another_scale_gives_the_same_picture_and_another_upright_axis_does_not() -> None:
    cloud = chair(1000)
    assert cloud.normals is not None
    assert cloud.labels is not None
    base = Scene.of(cloud).paint_labels(cloud.labels, COLOURS)
    larger = replace(cloud, points=cloud.points * 8)
    np.testing.assert_array_equal(Scene.of(larger).paint_labels(cloud.labels, COLOURS), base)
    turned = PointCloud(np.roll(cloud.points, 1, axis=1), np.roll(cloud.normals, 1, axis=1))
    lying = Scene.of(turned).paint_labels(cloud.labels, COLOURS)
    assert lying.shape != base.shape or (lying != base).mean() > 0.1


def test_a_pixel_has_a_shade_of_the_colour_of_its_class() -> None:
    cloud = chair()
    assert cloud.labels is not None
    scene = Scene.of(cloud)
    pixels = scene.paint_labels(cloud.labels, COLOURS).astype(float)
    top = 0
    for view in scene.views:
        labels = whole_blocks(view, cloud.labels)
        part = pixels[top : top + len(labels)]
        top += len(labels) + 1
        for c in range(3):
            colour = COLOURS[c].astype(float)
            shown = part[labels == c]
            assert len(shown) > 200
            shade = shown @ colour / (colour @ colour)
            assert np.abs(shown - shade[:, None] * colour).max() < 1.1  # rounding
            assert shade.min() > 0.25
            assert shade.max() <= 1.01
            assert np.median(shade) > 0.75


def test_abstaining_points_are_paler_than_any_class_and_stand_out_from_the_paper() -> None:
    cloud = chair()
    scene = Scene.of(cloud)
    pale = scene.paint_labels(np.full(len(cloud), ABSTAIN), COLOURS)
    for c in range(3):
        assert (pale >= scene.paint_labels(np.full(len(cloud), c), COLOURS)).all()
    blocks = whole_blocks(scene.views[0], np.zeros(len(cloud), int)) == 0
    shown = pale[: len(blocks)][blocks].astype(int)
    assert np.ptp(shown, axis=1).max() == 0  # without hue
    assert np.median(shown) > 225
    assert np.quantile(shown, 0.02) > 150
    assert (np.abs(shown - GROUND).max(axis=1) > 8).mean() > 0.8


def test_the_two_views_show_different_points() -> None:
    front, back = (set(np.unique(v.visible).tolist()) for v in Scene.of(chair()).views)
    assert len(front - back) > 300
    assert len(back - front) > 300
    assert len(front | back) > 0.7 * 2048


def test_light_falls_on_what_faces_it_whatever_the_sign_of_the_normals() -> None:
    cloud = sphere(4000, normals=True)
    assert cloud.normals is not None
    scene = Scene.of(cloud)
    view = scene.views[0]
    high, wide = view.visible.shape
    rows, columns = np.nonzero(view.visible >= 0)
    light = view.light[rows, columns]
    upper_left = (rows < high * 0.4) & (columns < wide * 0.5)
    lower_right = (rows > high * 0.7) & (columns > wide * 0.6)
    assert np.median(light[upper_left]) > np.median(light[lower_right]) + 0.1
    inward = Scene.of(replace(cloud, normals=-cloud.normals))
    np.testing.assert_array_equal(inward.views[0].light, view.light)


def test_normals_and_spacing_are_found_where_none_are_given() -> None:
    cloud = sphere(4000)
    surface = Surface.of(cloud)
    along = np.abs((surface.normals * cloud.points).sum(axis=1))
    assert np.quantile(along, 0.05) > np.cos(np.deg2rad(15))
    # Each point has the area of the sphere over N.
    assert surface.spacing == pytest.approx(np.sqrt(4 * np.pi / 4000), rel=0.15)
    flat = np.random.default_rng(0).uniform(-1, 1, (500, 3)).astype(np.float32)
    flat[:, 1] = 0.25
    np.testing.assert_allclose(np.abs(Surface.of(PointCloud(flat)).normals[:, 1]), 1, atol=1e-6)


def test_copies_of_points_change_nothing() -> None:
    cloud = sphere(300)
    twice = PointCloud(np.concatenate([cloud.points, cloud.points]))
    one, other = Surface.of(cloud), Surface.of(twice)
    assert one.spacing == other.spacing
    np.testing.assert_array_equal(one.normals, other.normals[:300])
    np.testing.assert_array_equal(
        Scene.of(cloud).paint_plain((9, 9, 9)), Scene.of(twice).paint_plain((9, 9, 9))
    )


def odd_clouds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    line = np.zeros((50, 3))
    line[:, 0] = np.linspace(-1, 1, 50)
    plane = rng.uniform(-1, 1, (200, 3))
    plane[:, 2] = 0
    return {
        "one": np.ones((1, 3)),
        "two": np.array([[0, 0, 0], [0, 0, 1.0]]),
        "three": np.eye(3),
        "all one": np.full((5000, 3), 7.0),
        "line": line,
        "upright": line[:, [1, 0, 2]],
        "plane": plane,
        "tiny": rng.normal(size=(100, 3)) * 1e-20,
        "huge": rng.normal(size=(100, 3)) * 1e20,
        "far": np.concatenate([rng.normal(size=(100, 3)), [[1e6, 0, 0]]]),
    }


@pytest.mark.parametrize("kind", odd_clouds())
@pytest.mark.parametrize("normals", [False, True])
def test_every_shape_is_drawn_whole(kind: str, normals: bool) -> None:
    points = odd_clouds()[kind].astype(np.float32)
    scene = Scene.of(PointCloud(points, np.zeros_like(points) if normals else None))
    high, wide = scene.size
    assert 240 <= wide <= 300
    assert 481 <= high <= 601
    assert scene.paint_plain((200, 0, 0)).shape == (high, wide, 3)
    for view in scene.views:
        assert np.isfinite(view.light).all()
        assert view.light.min() > 0
        assert view.light.max() <= 1
        shown = view.visible >= 0
        assert shown.any()
        edges = np.ones_like(shown)
        edges[4:-4, 4:-4] = False
        assert not (shown & edges).any()


@pytest.mark.slow
def test_many_points_take_no_longer_than_a_person_waits() -> None:
    cloud = chair(100_000, normals=False)
    begin = time.process_time()
    Scene.of(cloud)
    assert time.process_time() - begin < 60
