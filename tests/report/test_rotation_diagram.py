"""The cone of rotations: the angle in the picture is the angle that is certified."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solids import chair

from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.errors import ParameterError
from onnxcert.report.figures.points.rotation_diagram import Cone, draw_rotation_diagram

SIZE = (600, 400)  # wide enough that the words take one line, whatever they are
SPOT = PointCloud(np.zeros((1, 3), np.float32))
AXIS = (0.0, 1.0, 0.0)


def blue(panel: np.ndarray) -> np.ndarray:
    pixels = panel.astype(int)
    return np.asarray(pixels[..., 2] - pixels[..., 0] > 30)


def halves(cone: Cone, cloud: PointCloud = SPOT) -> list[np.ndarray]:
    swept = blue(draw_rotation_diagram(cone, cloud, SIZE))
    middle = 287  # the line between the two drawings lies near; both are far from it
    return [swept[:middle], swept[middle:]]


def circle(whole: np.ndarray) -> tuple[float, float, float]:
    """(row, column) of the centre of a full circle, and its radius."""
    rows, columns = np.nonzero(whole)
    high = rows.max() - rows.min() + 1
    assert abs(high - (columns.max() - columns.min() + 1)) <= 1
    return (rows.max() + rows.min()) / 2, (columns.max() + columns.min()) / 2, high / 2


def widest(swept: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """Degrees to the left and to the right of upright, near the end of the sector."""
    row, column, reach = circle(whole)
    rows, columns = np.nonzero(swept)
    up, right = row - rows, columns - column
    away = np.hypot(up, right) / reach
    angles = np.degrees(np.arctan2(right, up))[(away > 0.84) & (away < 0.9)]
    return -float(angles.min()), float(angles.max())


@pytest.mark.parametrize("degrees", [3, 5, 7.2, 10, 25, 45])
def test_a_cone_has_the_half_angle_certified_in_both_drawings(degrees: float) -> None:
    whole = halves(Cone(math.pi, whole=True))
    drawn = halves(Cone(math.radians(degrees), whole=False))
    for swept, full in zip(drawn, whole, strict=True):
        for side in widest(swept, full):
            assert side == pytest.approx(degrees, abs=1.5)  # two pixels at this distance


@pytest.mark.parametrize("degrees", [3, 5, 10, 60, 90, 135, 170])
def test_about_one_axis_the_sector_has_the_angle_certified(degrees: float) -> None:
    whole = halves(Cone(math.pi, True, AXIS))[0]
    swept = halves(Cone(math.radians(degrees), False, AXIS))[0]
    for side in widest(swept, whole):
        assert side == pytest.approx(degrees, abs=1.5)


@pytest.mark.slow
@pytest.mark.parametrize("axis", [None, AXIS, (1.0, 0.0, 0.0), (1.0, 1.0, 0.0)])
def test_more_is_swept_by_larger_angles_up_to_all(axis: tuple[float, float, float] | None) -> None:
    angles = np.radians([1, 4, 9, 20, 50, 89, 120, 160])
    areas = [int(halves(Cone(a, False, axis), chair(500))[0].sum()) for a in angles.tolist()]
    whole = halves(Cone(math.pi, True, axis))[0]
    assert (np.diff([*areas, whole.sum()]) > 0).all()
    row, column, reach = circle(whole)
    rows, columns = np.indices(whole.shape)
    away = np.hypot(rows - row, columns - column) / reach
    ring = (away > 0.7) & (away < 0.95) & (np.abs(columns - column) > 8)
    assert whole[ring].all()


@pytest.mark.slow
def test_the_panel_is_the_same_each_time_and_as_large_as_asked() -> None:
    cloud = chair(500)
    for size in ((481, 240), (601, 300), (500, 280)):
        cone = Cone(0.2, False)
        panel = draw_rotation_diagram(cone, cloud, size)
        assert panel.shape == (*size, 3)
        assert panel.dtype == np.uint8
        np.testing.assert_array_equal(panel, draw_rotation_diagram(cone, cloud, size))
        assert (panel != draw_rotation_diagram(Cone(0.25, False), cloud, size)).any()


@given(st.floats(1e-6, math.pi))
def test_the_angle_is_never_said_larger_than_it_is(angle: float) -> None:
    cone = Cone(angle, False)
    degrees = float(cone.degrees.removesuffix("°"))
    assert math.degrees(angle) * (1 - 2e-3) < degrees <= math.degrees(angle) * (1 + 1e-9)
    assert cone.degrees in cone.describe()


def test_words_tell_one_axis_from_any_and_all_from_some() -> None:
    phrases = {
        Cone(0.1, False).describe(),
        Cone(0.1, False, AXIS).describe(),
        Cone(math.pi, True).describe(),
        Cone(math.pi, True, AXIS).describe(),
    }
    assert len(phrases) == 4
    assert "at most 5.729° about any axis" in Cone(0.1, False).describe()
    assert "every rotation" in Cone(math.pi, True).describe()
    assert "the y axis" in Cone(math.pi, True, AXIS).describe()


@pytest.mark.parametrize("angle", [-0.1, 3.2, math.nan, math.inf])
def test_what_is_no_angle_of_a_rotation_is_refused(angle: float) -> None:
    with pytest.raises(ParameterError, match="angle of a rotation"):
        Cone(angle, False)
