"""Rotation noise: its law on SO(3), what turns together, and what may be asked of it."""

from __future__ import annotations

import json
import math
from typing import Any

import mpmath
import numpy as np
import pytest
from refusals import one_sentence
from scipy.stats import chi, ks_2samp, kstest, norm

from onnxcert.errors import ParameterError
from onnxcert.perturbation import PERTURBATIONS, AxisRotation, Rotation
from onnxcert.perturbation.turning import exponential, prepare_cloud, turn
from onnxcert.sampling.backend.in_memory import NumpyNoise
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics.guarantee import describe_attack, describe_formula, format_radius

Array = np.ndarray
FRAME = np.eye(3, dtype=np.float32)


def turns(noise: Rotation | AxisRotation, count: int, seed: int = 1) -> Array:
    """Rotations as the noise makes them: what becomes of the three unit vectors."""
    out = np.empty((count, 3, 3), np.float32)
    noise.perturb(FRAME, NumpyNoise([np.random.default_rng(seed)] * count), out)
    return out.astype(np.float64)


def angle(q: Array) -> Array:
    """Rotation angles in [0, pi], from sine and cosine."""
    antisymmetric = q - np.swapaxes(q, 1, 2)
    sine = 0.5 * np.sqrt((antisymmetric[:, (2, 0, 1), (1, 2, 0)] ** 2).sum(axis=1))
    return np.arctan2(sine, 0.5 * (np.trace(q, axis1=1, axis2=2) - 1))


def axis(q: Array) -> Array:
    """Unit vectors about which the angle is positive."""
    found = (q - np.swapaxes(q, 1, 2))[:, (2, 0, 1), (1, 2, 0)]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def folded_maxwell(sigma: float, a: Array) -> Array:
    """P(angle <= a): |v| is Maxwell, and its angle is folded into [0, pi]."""
    law, turn = chi(3, scale=sigma), 2 * math.pi
    total = law.cdf(a)
    for k in range(1, 4):
        total += law.cdf(turn * k + a) - law.cdf(turn * k - a)
    return np.asarray(total)


@pytest.mark.parametrize("sigma", [0.01, 0.125, 0.5, 1.0])
def test_the_angle_is_a_folded_maxwell_variable(sigma: float) -> None:
    a = angle(turns(Rotation(sigma), 40_000))
    assert kstest(a, lambda t: folded_maxwell(sigma, t)).pvalue > 1e-3
    # Three per cent of sigma would be seen.
    assert kstest(a, lambda t: folded_maxwell(1.03 * sigma, t)).pvalue < 1e-5


@pytest.mark.parametrize("sigma", [0.05, 0.5, 1.0])
def test_the_axis_is_uniform_and_independent_of_the_angle(sigma: float) -> None:
    q = turns(Rotation(sigma), 40_000, seed=2)
    n, a = axis(q), angle(q)
    for i in range(3):
        assert kstest(n[:, i], "uniform", args=(-1, 2)).pvalue > 1e-3
    longitude = np.arctan2(n[:, 1], n[:, 0])
    assert kstest(longitude, "uniform", args=(-math.pi, 2 * math.pi)).pvalue > 1e-3
    small = a < np.median(a)
    for values in (n[:, 0], n[:, 2], longitude):
        assert ks_2samp(values[small], values[~small]).pvalue > 1e-3


def euler(sigma: float, count: int) -> Array:
    """What is often taken for rotation noise: normal angles about x, then y, then z."""
    rng = np.random.default_rng(3)
    e = [np.zeros((count, 3)) for _ in range(3)]
    for i in range(3):
        e[i][:, i] = sigma * rng.standard_normal(count)
    return np.asarray(exponential(e[2]) @ exponential(e[1]) @ exponential(e[0]))


def direction_dependence(q: Array) -> float:
    """Smallest p-value that turning about one direction is as turning about any other.

    Conjugation by S moves the axis by S and keeps the angle: where S Q S^-1 has the law of Q for
    every S, (angle, |component of the axis along a direction|) has one law for all directions.
    """
    a, n = angle(q), axis(q)
    directions = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, -1, 0], [1, -2, 2.0]])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    thirds = np.array_split(np.arange(len(q)), len(directions))
    seen = [a[t] * (n[t] @ d) for t, d in zip(thirds, directions, strict=True)]
    pairs = [ks_2samp(x, y).pvalue for i, x in enumerate(seen) for y in seen[:i]]
    return float(min(pairs)) * len(pairs)


@pytest.mark.slow
def test_conjugation_does_not_change_the_law_as_it_does_for_euler_angles() -> None:
    sigma, count = 0.7, 240_000
    assert direction_dependence(turns(Rotation(sigma), count)) > 1e-2
    assert direction_dependence(euler(sigma, count)) < 1e-6
    # The same, with one S and no statistic of angle and axis: traces of S Q S^-1 T and of Q T.
    rng = np.random.default_rng(4)
    for _ in range(3):
        s, t = exponential(2 * rng.standard_normal((2, 3)))
        q = turns(Rotation(sigma), 60_000, seed=5)
        other = turns(Rotation(sigma), 60_000, seed=6)
        one = np.einsum("ij,njk,lk,li->n", s, q, s, t)
        two = np.einsum("nij,ji->n", other, t.T)
        assert ks_2samp(one, two).pvalue > 1e-3


@pytest.mark.slow
def test_after_an_attack_the_angle_has_the_law_of_the_two_dimensional_integral() -> None:
    """cos(b/2) = |cos(a/2) cos(s/2) - sin(a/2) sin(s/2) u|, u uniform, a from its own law."""
    sigma = 0.6
    for s in (0.2, 1.0, 3.0):
        attack = exponential(np.array([[0.6 * s, 0.0, -0.8 * s]]))[0]
        b = angle(turns(Rotation(sigma), 50_000) @ attack)
        a = np.linspace(0, math.pi, 1201)
        mass = np.diff(folded_maxwell(sigma, a))
        middle = 0.5 * (a[1:] + a[:-1])[:, None]
        u = (np.arange(800) + 0.5) / 400 - 1

        def law(
            t: Array, middle: Array = middle, u: Array = u, mass: Array = mass, s: float = s
        ) -> Array:
            w = np.cos(middle / 2) * math.cos(s / 2) - np.sin(middle / 2) * math.sin(s / 2) * u
            angles = (2 * np.arccos(np.minimum(np.abs(w), 1))).ravel()
            order = np.argsort(angles)
            weights = np.broadcast_to(mass[:, None] / u.size, w.shape).ravel()[order]
            return np.asarray(np.interp(t, angles[order], np.cumsum(weights)))

        assert kstest(b, law).pvalue > 1e-3
        assert kstest(b, lambda t, law=law: law(0.98 * t)).pvalue < 1e-3


def test_points_and_normals_turn_together_and_nothing_else_does() -> None:
    rng = np.random.default_rng(7)
    points = rng.standard_normal((3, 500))
    normals = rng.standard_normal((3, 500))
    normals /= np.linalg.norm(normals, axis=0)
    x = np.concatenate([points, normals, rng.standard_normal((2, 500))]).astype(np.float32)
    kept = x.copy()
    seeds = range(20)
    out = np.full((20, 8, 500), np.nan, np.float32)
    Rotation(0.5, vectors=2).perturb(x, NumpyNoise([np.random.default_rng(k) for k in seeds]), out)
    step = 2.0 ** (np.ceil(np.log2(np.linalg.norm(points, axis=0).max())) - 14)
    for k in seeds:
        rng = np.random.default_rng(k)
        q = exponential(0.5 * rng.standard_normal((1, 3)))[0]
        u = rng.random()
        for first in (0, 3):
            exact = np.floor(q @ x[first : first + 3].astype(np.float64) / step + u) * step
            assert np.mean(out[k, first : first + 3] != exact) < 1e-3  # sums in another order
            np.testing.assert_allclose(out[k, first : first + 3], exact, atol=step)
    np.testing.assert_array_equal(out[:, 6:], np.broadcast_to(x[6:], (20, 2, 500)))
    np.testing.assert_array_equal(x, kept)
    # With one triple the normals stay.
    Rotation(0.5).perturb(x, NumpyNoise([np.random.default_rng(k) for k in seeds]), out)
    np.testing.assert_array_equal(out[:, 3:], np.broadcast_to(x[3:], (20, 5, 500)))


@pytest.mark.parametrize("noise", [Rotation(0.3, vectors=2), AxisRotation(0.3, "x", vectors=2)])
def test_a_row_is_the_same_bits_in_any_batch(noise: Rotation | AxisRotation) -> None:
    x = np.random.default_rng(8).standard_normal((7, 333)).astype(np.float32)
    draws = Draws(noise, 3, digest(x))
    whole = np.empty((23, *x.shape), np.float32)
    draws.write(x, range(23), whole)
    for size in (1, 2, 5, 16):
        for start in range(0, 23, size):
            part = range(start, min(23, start + size))
            out = np.empty((len(part), *x.shape), np.float32)
            draws.write(x, part, out)
            np.testing.assert_array_equal(out, whole[part.start : part.stop])
    assert len({row.tobytes() for row in whole}) == 23


def test_the_exponential_is_exact_down_to_no_angle_at_all() -> None:
    directions = np.random.default_rng(9).standard_normal((8, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    sizes = [0.0, 5e-324, 1e-200, 1e-9, 1e-4, 0.5, math.pi, 2 * math.pi - 1e-9]
    v = directions * np.array(sizes)[:, None]
    for row, q in zip(v, exponential(v), strict=True):
        x, y, z = (mpmath.mpf(float(c)) for c in row)
        with mpmath.workdps(40):
            wanted = mpmath.expm(mpmath.matrix([[0, -z, y], [z, 0, -x], [-y, x, 0]]), method="pade")
        np.testing.assert_allclose(q, np.array(wanted.tolist(), np.float64), atol=1e-15, rtol=1e-15)
    # Also relatively, where an angle of 1e-9 is all there is.
    small = exponential(np.array([[1e-9, 0, 0]]))[0]
    assert small[2, 1] == pytest.approx(1e-9, rel=1e-15)


@pytest.mark.parametrize("name", ["x", "y", "z"])
def test_about_one_axis_angles_are_normal_and_the_axis_stays(name: str) -> None:
    noise = AxisRotation(0.4, name)  # type: ignore[arg-type]
    q = turns(noise, 30_000)
    i = "xyz".index(name)
    assert np.array_equal(q[:, :, i], np.broadcast_to(np.eye(3)[i], (30_000, 3)))
    j, k = (i + 1) % 3, (i + 2) % 3
    t = np.arctan2(q[:, k, j], q[:, j, j])
    assert kstest(t, norm(0, 0.4).cdf).pvalue > 1e-3
    # No formula: half-line sets are the worst, and the radius is the quantile of the angle.
    assert abs(np.mean(t + noise.radius(0.8) <= norm.ppf(0.8) * 0.4) - 0.5) < 5 * 0.5 / 173


def test_the_radius_about_one_axis_is_the_classical_one_up_to_every_angle() -> None:
    for tau in (0.5, 0.6, 0.9, 0.999):
        with mpmath.workdps(40):
            wanted = mpmath.mpf(0.5) * mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(tau) - 1)
        got = AxisRotation(0.5, "z").radius(tau)
        assert wanted * (1 - mpmath.mpf("1e-11")) <= got <= wanted
        assert Rotation(0.5, form="classical").radius(tau) == got
    assert AxisRotation(50.0, "z").radius(0.9) == math.pi
    assert "every angle" in format_radius(AxisRotation(50.0, "z"), math.pi)


def test_angles_are_shown_in_radians_and_degrees_never_above_what_they_are() -> None:
    noise = Rotation(0.125)
    radius = noise.radius(0.75)
    rad, degrees = format_radius(noise, radius).replace(" degrees)", "").split(" rad (")
    assert 0.999 * radius < float(rad) <= radius
    assert 0.999 * math.degrees(radius) < float(degrees) <= math.degrees(radius)
    assert format_radius(noise, 0.0) == "0 rad (0 degrees)"
    assert format_radius(noise, math.pi) == "pi rad (180 degrees: every rotation)"
    assert "every" not in format_radius(noise, math.nextafter(math.pi, 0))


def test_the_attack_says_what_turns_about_what_and_how_far() -> None:
    said = describe_attack(Rotation(0.25, vectors=2), "R = 1", "unit sphere")
    assert said == (
        "every rotation of the coordinates and normals about the origin of the input's frame "
        "(unit sphere), around any axis, by a geodesic angle of at most R = 1"
    )
    said = describe_attack(AxisRotation(0.25, "y"), "R = 1", "unit sphere")
    assert "every rotation of the coordinates alone about the y axis through the origin" in said
    assert Rotation(0.25).unit == AxisRotation(0.25, "z").unit == "radians"
    assert describe_formula(Rotation(0.25, form="classical"), 0.8) == "min(pi, 0.25 * Phi^-1(0.8))"
    assert describe_formula(Rotation(0.25), 0.8) == "NP(0.25, 0.8)"


@pytest.mark.parametrize(
    "wrong",
    [{"sigma": s} for s in (0.0, -0.1, 1e-5, 1.01, math.nan, math.inf, "0.1", True)]
    + [{"vectors": v} for v in (0, 3, True, 1.5)]
    + [{"form": "euler"}, {"form": None}],
    ids=str,
)
def test_parameters_out_of_range_are_refused_in_a_sentence(wrong: dict[str, Any]) -> None:
    with one_sentence(ParameterError):
        Rotation(**{"sigma": 0.25, **wrong})
    if "form" not in wrong:
        with pytest.raises(ParameterError):
            AxisRotation(**{"sigma": 0.25, "axis": "z", **wrong, **({"sigma": 101.0}
                         if wrong.get("sigma") == 1.01 else {})})  # fmt: skip
    with pytest.raises(ParameterError, match="x, y or z"):
        AxisRotation(0.25, "w")  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(2, 50), (5, 50), (6,), (6, 5, 5), ()])
def test_what_is_no_cloud_of_enough_channels_is_refused(shape: tuple[int, ...]) -> None:
    for noise in (Rotation(0.25, vectors=2), AxisRotation(0.25, "z", vectors=2)):
        with pytest.raises(ParameterError, match=r"coordinates and normals needs .* at least 6"):
            noise.check(np.zeros(shape, np.float32))
        x = np.zeros(shape, np.float32)
        with pytest.raises(ParameterError, match="got the shape"):
            noise.perturb(
                x, NumpyNoise([np.random.default_rng(0)]), np.empty((1, *shape), np.float32)
            )
        noise.check(np.zeros((6, 1), np.float32))


def test_the_smallest_noise_is_not_rounded_away() -> None:
    """Over all offsets the grid's points are, in the mean, what was turned."""
    x = np.random.default_rng(0).standard_normal((3, 200)).astype(np.float32)
    q = exponential(2.0**-13 * np.random.default_rng(1).standard_normal((1, 3)))
    count = 4096
    out = np.empty((count, *x.shape), np.float32)
    turn(x, np.repeat(q, count, axis=0), np.arange(count) / count, 1, out)
    step = prepare_cloud(x, 1).step
    assert len(np.unique(out[:, 0, 0])) == 2
    mean = out.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(mean, q[0] @ x, atol=1.01 * step / count)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e12])
def test_the_grid_follows_the_largest_norm_and_no_rotation_changes_it(scale: float) -> None:
    """Also at exact powers of two, where rounding could take either side."""
    x = (scale * np.random.default_rng(0).standard_normal((6, 40))).astype(np.float32)
    norm = np.linalg.norm(x[:3].astype(np.float64), axis=0).max()
    step = prepare_cloud(x, 1).step
    assert step * 2**13 < norm <= step * 2**14
    wide = max(norm, np.linalg.norm(x[3:].astype(np.float64), axis=0).max())
    assert prepare_cloud(x, 2).step * 2**13 < wide <= prepare_cloud(x, 2).step * 2**14
    for power in (-3, 0, 5):
        edge = np.zeros((3, 9), np.float32)
        edge[1, 4] = 2.0**power
        assert prepare_cloud(edge, 1).step == 2.0 ** (power - 14)
        edge[2, 4] = 2.0 ** (power - 40)  # lost in the rounded norm
        assert prepare_cloud(edge, 1).step == 2.0 ** (power - 13)
    assert prepare_cloud(np.zeros((3, 9), np.float32), 1).step == 2.0**-14


@pytest.mark.parametrize("noise", [Rotation(0.25), Rotation(1.0), AxisRotation(20.0, "z")])
def test_what_is_computed_is_close_to_what_is_exact_as_the_law_error_says(
    noise: Rotation | AxisRotation,
) -> None:
    """Values before rounding, against 40 digits: off by 2^-47 (1 + sigma) of the norm at most in
    the mean, the lattice of the normals (3.92 * 2^-52) included."""
    x = np.random.default_rng(5).standard_normal((3, 20)).astype(np.float32)
    largest = float(np.linalg.norm(x.astype(np.float64), axis=0).max())
    total, count = 0.0, 12
    for k in range(count):
        z = np.random.default_rng(k).standard_normal(3)
        v = np.zeros((1, 3))
        exact = [mpmath.mpf(0)] * 3
        for i in range(3) if isinstance(noise, Rotation) else (2,):
            v[0, i] = noise.sigma * z[i]
            exact[i] = mpmath.mpf(noise.sigma) * (mpmath.mpf(z[i]) + mpmath.mpf(3.92 * 2**-52))
        q = exponential(v)[0]
        with mpmath.workdps(40):
            a, b, c = exact
            wanted = mpmath.expm(mpmath.matrix([[0, -c, b], [c, 0, -a], [-b, a, 0]]), method="pade")
            for j in range(x.shape[1]):
                point = mpmath.matrix([mpmath.mpf(float(t)) for t in x[:, j]])
                turned = wanted * point
                for i in range(3):
                    found = (q[i, 0] * x[0, j] + q[i, 1] * x[1, j]) + q[i, 2] * x[2, j]
                    total += abs(float(mpmath.mpf(float(found)) - turned[i]))
    mean = total / (count * x.size)
    assert mean <= 2.0**-47 * (1 + noise.sigma) * largest
    assert noise.law_error((3, 20)) >= 60 * 2.0**-47 * (1 + noise.sigma) * 2**14


def test_the_registry_makes_them_again() -> None:
    for noise in (Rotation(0.25, 2, "classical"), AxisRotation(0.25, "y", 2)):
        again = PERTURBATIONS[noise.name](**json.loads(json.dumps(noise.parameters())))
        assert again == noise
