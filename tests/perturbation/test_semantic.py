"""Changes with few parameters: each is a group, is drawn by its law, and is refused elsewhere."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from scipy.stats import expon, kstest, norm

from onnxcert.errors import ParameterError
from onnxcert.perturbation import (
    PERTURBATIONS,
    PLAIN,
    Blur,
    Brightness,
    Exposure,
    Gain,
    Gamma,
    OnChannels,
    Scaling,
    Shift,
    WhiteBalance,
)
from onnxcert.perturbation.exposure import JUNCTION
from onnxcert.perturbation.semantic import GRID, CloudChange, Semantic
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics.guarantee import (
    describe_attack,
    describe_formula,
    describe_noise,
    format_radius,
)

Array = np.ndarray
KINDS = [kind for kind in PLAIN.values() if issubclass(kind, Semantic)]
NAMES = [kind.name for kind in KINDS]
# Dark, bright, saturated and flat values, and both sides of the sRGB curve's junction.
SPECIAL = (0.0, 1e-6, 0.02, JUNCTION, math.nextafter(JUNCTION, 1), 0.04045, 0.5, 0.999, 1.0)


def an_input(kind: type[Semantic], seed: int = 1, side: int = 5) -> Array:
    rng = np.random.default_rng(seed)
    if issubclass(kind, CloudChange):
        return rng.uniform(-2, 2, (3, 20)).astype(np.float32)
    x = rng.random((3, 4, side)).astype(np.float32)
    x.reshape(-1)[: len(SPECIAL)] = SPECIAL
    return x


def change(kind: type[Any], x: Array, t: list[float]) -> Array:
    """T_t x as it is before it is rounded to the grid."""
    noise = kind(1.0)
    return np.asarray(noise.transform(noise.split(np.asarray(x, np.float64)), t))


def group_defect(once: Callable[[Array, list[float]], Array], x: Array, a: Any, b: Any) -> float:
    """The largest difference of T_a T_b x and T_(a+b) x, relative to values above 1."""
    wanted = once(x, [s + t for s, t in zip(a, b, strict=True)])
    found = once(once(x, b), a)
    return float(np.max(np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))))


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
@given(data=st.data())
@examples(60)
def test_two_changes_are_one_by_the_sum_of_their_parameters(
    kind: type[Semantic], data: st.DataObject
) -> None:
    low = 0.0 if kind is Blur else -3.0
    count = 1 if kind is Blur else kind.parameter_count
    some = st.lists(st.floats(low, 3.0), min_size=count, max_size=count)
    x = an_input(kind, seed=data.draw(st.integers(0, 99)))
    assert (
        group_defect(lambda x, t: change(kind, x, t), x, data.draw(some), data.draw(some)) < 2e-13
    )


def clipped_gain(x: Array, t: list[float]) -> Array:
    return np.clip(change(Gain, x, t), 0.0, 1.0)


def exposure_by_the_standard(x: Array, t: list[float]) -> Array:
    """With the rounded constants of IEC 61966-2-1."""
    light = 2.0 ** t[0] * np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def exposure_in_eight_bits(x: Array, t: list[float]) -> Array:
    return np.rint(255 * change(Exposure, x, t)) / 255


def two_axes_of_rotation(x: Array, t: list[float]) -> Array:
    """About z and then about x, by as much: no group of one parameter."""
    c, s = math.cos(t[0]), math.sin(t[0])
    about_z, about_x = [[c, -s, 0], [s, c, 0], [0, 0, 1]], [[1, 0, 0], [0, c, -s], [0, s, c]]
    return np.einsum("ij,jk,k...->i...", np.array(about_x), np.array(about_z), x)


@pytest.mark.parametrize(
    "once", [clipped_gain, exposure_by_the_standard, exposure_in_eight_bits, two_axes_of_rotation]
)
def test_a_change_that_is_no_group_is_found_by_the_same_comparison(
    once: Callable[[Array, list[float]], Array],
) -> None:
    near = np.linspace(0.04044, 0.04046, 4000)  # around the junction of the standard
    x = np.concatenate([near, np.linspace(0, 1, 2000)]).reshape(3, 4, 500)
    pairs = [(0.0, 0.0), *np.random.default_rng(1).uniform(-1, 1, (20, 2))]
    worst = max(group_defect(once, x, [a], [b]) for a, b in pairs)
    assert max(group_defect(partial(change, Exposure), x, [a], [b]) for a, b in pairs) < 2e-13
    assert worst > 1e-10


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_no_change_at_zero(kind: type[Semantic]) -> None:
    x = an_input(kind)
    count = 1 if kind is Blur else kind.parameter_count
    np.testing.assert_allclose(change(kind, x, [0.0] * count), x, atol=4e-15)


def test_exposure_is_a_factor_of_linear_light_and_goes_on_above_one() -> None:
    v = np.linspace(0, 1, 1001)[None, None]
    light = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)  # to 1e-6
    for stops in (-2.0, 0.7, 3.0):
        new = change(Exposure, v, [stops])
        again = np.where(new <= 0.04045, new / 12.92, ((new + 0.055) / 1.055) ** 2.4)
        np.testing.assert_allclose(again, 2**stops * light, atol=2e-6 * 2**stops + 1e-6)
    assert change(Exposure, np.ones((1, 1, 1)), [1.0]).item() == pytest.approx(1.353, abs=1e-3)


def test_blur_is_a_positive_kernel_of_variance_t_and_keeps_the_mean() -> None:
    point = np.zeros((1, 41, 61))
    point[0, 20, 30] = 1.0
    for t in (0.3, 1.0, 4.0):
        kernel = change(Blur, point, [t])[0]
        assert kernel.min() > -1e-15
        assert kernel.sum() == pytest.approx(1.0)
        i, j = np.indices(kernel.shape)
        assert (kernel * (i - 20) ** 2).sum() == pytest.approx(t)
        assert (kernel * (j - 30) ** 2).sum() == pytest.approx(t)
    # At the border it reflects: nothing is lost.
    corner = np.zeros((1, 5, 1))
    corner[0, 0, 0] = 1.0
    far = change(Blur, corner, [500.0])
    np.testing.assert_allclose(far, 0.2)


def drawn(noise: Semantic | OnChannels, x: Array, count: int, seed: int = 1) -> Array:
    out = np.empty((count, *x.shape), np.float32)
    Draws(noise, seed, digest(x)).write(x, range(count), out)
    return out.astype(np.float64)


@pytest.mark.slow
def test_the_parameters_have_their_laws_and_are_independent() -> None:
    grey = np.full((3, 1, 1), 0.5, np.float32)
    count = 8000
    stops = np.log2(drawn(WhiteBalance(0.5), grey, count)[:, :, 0, 0] / 0.5)
    for c in range(3):
        assert kstest(stops[:, c], norm(0, 0.5).cdf).pvalue > 1e-3
        assert kstest(stops[:, c], norm(0, 0.56).cdf).pvalue < 1e-3
    assert np.abs(np.corrcoef(stops.T) - np.eye(3)).max() < 5 / math.sqrt(count)
    edge = np.array([[[1.0, 0.0]]], np.float32)
    two = drawn(Blur(0.7), edge, count)[:, 0, 0]
    # The difference of two values, exp(-t), is blurred by the offsets of the grid only.
    t = -np.log(np.maximum(two[:, 0] - two[:, 1], GRID / 2))
    small = t < 4
    assert kstest(t[small], expon(scale=0.7).cdf, alternative="less").pvalue > 1e-3
    assert np.mean(t) == pytest.approx(0.7, abs=5 * 0.7 / math.sqrt(count))
    assert np.mean(t < 0.7) == pytest.approx(1 - math.exp(-1), abs=5 * 0.5 / math.sqrt(count))


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_a_row_is_the_same_bits_in_any_batch_and_each_row_is_another(kind: type[Semantic]) -> None:
    x = an_input(kind, side=33)
    draws = Draws(kind(kind.usual), 3, digest(x))
    whole = np.empty((23, *x.shape), np.float32)
    draws.write(x, range(23), whole)
    for size in (1, 5, 16):
        for start in range(0, 23, size):
            part = range(start, min(23, start + size))
            out = np.empty((len(part), *x.shape), np.float32)
            draws.write(x, part, out)
            np.testing.assert_array_equal(out, whole[part.start : part.stop])
    assert len({row.tobytes() for row in whole}) == 23


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_what_the_model_gets_is_on_the_grid_and_is_the_change_in_the_mean(
    kind: type[Semantic],
) -> None:
    x = an_input(kind)
    noise = kind(1e-6)  # as good as none: only the offsets are random
    out = drawn(noise, x, 4000)
    assert (out / GRID == np.rint(out / GRID)).all()
    assert np.abs(out - x).max() < 1.02 * GRID
    np.testing.assert_allclose(out.mean(axis=0), x, atol=0.04 * GRID)
    # Black and white, which gamma does not move, do not show what they were rounded from.
    assert len(np.unique(out.reshape(4000, -1)[:, 3])) == 2


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_the_registry_makes_it_again_and_channels_can_be_chosen(kind: type[Semantic]) -> None:
    noise = kind(kind.usual)
    again = PERTURBATIONS[kind.name](**json.loads(json.dumps(noise.parameters())))
    assert again == noise
    some = OnChannels(noise, 0, 3, "the first three")
    again = PERTURBATIONS[some.name](**json.loads(json.dumps(some.parameters())))
    assert again == some
    x = an_input(kind)
    wide = np.concatenate([x, x[:2]])
    assert some.law_error(wide.shape) == noise.law_error(x.shape)
    out = drawn(some, wide, 3)
    np.testing.assert_array_equal(out[:, 3:], np.broadcast_to(wide[3:], out[:, 3:].shape))
    assert (out[:, :3] != wide[:3]).any()


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_the_guarantee_says_the_change_its_unit_and_what_is_not_covered(
    kind: type[Semantic],
) -> None:
    noise = kind(kind.usual)
    radius = format_radius(noise, noise.radius(0.75))
    assert radius.endswith(noise.unit)
    words = describe_attack(noise, f"R = {radius}", "values in [0, 1]")
    assert "the input (values in [0, 1])" in words
    assert "not covered" in words
    assert f"at most R = {radius}" in words
    assert describe_noise(noise) == f"{kind.name} sigma {kind.usual} {noise.unit}".rstrip()
    assert "the first (channels 0 to 2)" in describe_attack(
        OnChannels(noise, 0, 3, "the first"), "1", "u"
    )
    symbols = "-sigma * ln(2 * (1 - tau))" if kind is Blur else "sigma * Phi^-1(tau)"
    assert describe_formula(noise) == symbols


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
@pytest.mark.parametrize("sigma", [0.0, -0.1, 1e-7, 1e4, math.nan, math.inf, "0.1", True], ids=str)
def test_a_sigma_out_of_range_is_refused_in_a_sentence(kind: type[Any], sigma: Any) -> None:
    with pytest.raises(ParameterError, match=f"^sigma of {kind.name} must be a number.*, got"):
        kind(sigma)


@pytest.mark.parametrize("value", [-0.001, 1.001, math.nan, math.inf])
def test_an_image_out_of_the_domain_is_refused(value: float) -> None:
    for kind in KINDS:
        x = an_input(kind)
        kind(kind.usual).check(x)
        x[0, ..., 0] = value * (1e7 if issubclass(kind, CloudChange) else 1)
        with pytest.raises(ParameterError, match=r"needs (an image|coordinates)"):
            kind(kind.usual).check(x)


def test_another_kind_of_input_is_refused() -> None:
    image, cloud = an_input(Gamma), an_input(Shift)
    for kind in KINDS:
        other = image if issubclass(kind, CloudChange) else cloud
        with pytest.raises(ParameterError, match="got the shape"):
            kind(kind.usual).check(other)
    with pytest.raises(ParameterError, match=r"use OnChannels\(Scaling\(sigma\), 0, 3\)"):
        Scaling(0.25).check(np.zeros((6, 9), np.float32))
    with pytest.raises(ParameterError, match="3 channels, got 1; use gain"):
        WhiteBalance(0.25).check(image[:1])
    Brightness(0.1).check(image[:1])
