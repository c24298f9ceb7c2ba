"""The guarantee on points, end to end: the noise that reaches the network, and its promise.

Everything runs through `OnnxSegmenter` and `certify`, with models whose answer under noise is
known in closed form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from graphs import save
from pointgraphs import Dialect, Network, ball, halves, linear
from recording import assert_every_draw_has_its_own_noise
from scipy.stats import binom, binomtest, chi, kstest, norm

from onnxcert import Gaussian, OnnxSegmenter, certify
from onnxcert._typing import FloatArray, Perturbation
from onnxcert.model.adapter.base import INPUT
from onnxcert.model.network.forward import Forward
from onnxcert.perturbation import AxisRotation, OnChannels, Rotation
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics.certificate import ABSTAIN
from onnxcert.statistics.guarantee import describe_noise

CATEGORIES = (("chair", (0, 1)), ("lamp", (2, 3)), ("rocket", (1, 4)))

# -- what the network gets -----------------------------------------------------------------------


class Recorder:
    """A runtime that keeps every batch it is fed."""

    def __init__(self, runtime: Any, batches: list[FloatArray]) -> None:
        self._runtime = runtime
        self._batches = batches

    def run(self, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
        self._batches.append(feeds[INPUT].copy())
        values: list[Any] = self._runtime.run(outputs, feeds)
        return values


class Watched:
    """A model that keeps what reaches the network: `seen` is written from inside the session."""

    def __init__(self, folder: Path, channels: str = "xyz+normals", **more: Any) -> None:
        dialect = Dialect(channels=channels, category="BK")
        proto = dialect.proto(Network(dialect.values, 5, 3, seed=2), CATEGORIES)
        path = save(proto, folder / "model.onnx")
        given = {**dialect.given(CATEGORIES), **more}
        self.segmenter = OnnxSegmenter.open(path, threads=1, **given)
        self.batches: list[FloatArray] = []
        network = self.segmenter._network
        opened = network._open

        def watched(rows: int | None, *, votes: bool = True) -> Forward:
            forward = opened(rows, votes=votes)
            if not votes:  # scores to look at in trials; nothing that is counted
                return forward
            runtime = Recorder(forward.session.runtime, self.batches)
            return replace(forward, session=replace(forward.session, runtime=runtime))

        network._open = watched  # type: ignore[method-assign]
        network.forward = watched(None)

    def passes(
        self, x: FloatArray, noise: Perturbation, n: int, batch_size: int, check: int | None
    ) -> tuple[list[FloatArray], str]:
        """Every pass of labels in its order, those of trials first, and the statement."""
        self.batches.clear()
        certificate = certify(
            self.segmenter, x, noise, n=n, n0=5, seed=4, batch_size=batch_size, leak_check=check
        )
        assert not certificate.notes  # such as that batch mates matter
        return list(self.batches), certificate.statement()

    def inputs(self, x: FloatArray, noise: Perturbation, n: int, batch_size: int) -> FloatArray:
        """The n draws that are counted: the last ones, as none is run again without a check."""
        found, _ = self.passes(x, noise, n, batch_size, check=0)
        return np.concatenate(found)[-n:]


def shape(points: int = 120, category: int = 1) -> FloatArray:
    """Coordinates, unit normals and the category, [7, N]."""
    rng = np.random.default_rng(3)
    normals = rng.normal(size=(3, points))
    normals /= np.linalg.norm(normals, axis=0)
    told = np.full((1, points), category)
    return np.concatenate([ball(points).T, normals, told]).astype(np.float32)


def every() -> Iterator[Perturbation]:
    yield OnChannels(Gaussian(0.1), 0, 3, "the coordinates")
    yield OnChannels(Gaussian(0.1), 0, 6, "the coordinates and normals")
    yield Rotation(0.2, 2)
    yield AxisRotation(0.2, "y", 2)


@pytest.mark.parametrize(
    ("start", "stop", "called"),
    [(0, 3, "the coordinates"), (0, 6, "the coordinates and normals"), (1, 2, ""), (3, 6, "")],
)
@pytest.mark.parametrize("batch_size", [1, 16])
def test_noise_reaches_its_channels_and_no_others(
    start: int, stop: int, called: str, batch_size: int, tmp_path: Path
) -> None:
    x, n = shape(), 300
    noise = OnChannels(Gaussian(0.2), start, stop, called)
    drawn = Watched(tmp_path).inputs(x, noise, n, batch_size)
    untouched = [row for row in range(7) if not start <= row < stop]
    assert (drawn[:, untouched] == x[untouched]).all()
    assert_every_draw_has_its_own_noise(drawn[:, start:stop], x[start:stop], 0.2)


def test_the_draws_do_not_depend_on_the_batch_size(tmp_path: Path) -> None:
    watched, x = Watched(tmp_path), shape()
    noise = OnChannels(Gaussian(0.2), 0, 3, "the coordinates")
    alone, many = (watched.inputs(x, noise, 60, size) for size in (1, 16))
    assert np.array_equal(alone, many)


@pytest.mark.parametrize("noise", list(every()), ids=describe_noise)
def test_the_leak_check_runs_draws_of_a_batch_again_and_nothing_else(
    noise: Perturbation, tmp_path: Path
) -> None:
    watched, x = Watched(tmp_path), shape()
    watched.segmenter(x[None])  # what the first pass of all takes of trials
    plain, _ = watched.passes(x, noise, 200, 16, check=0)
    checked, statement = watched.passes(x, noise, 200, 16, check=None)
    said = re.search(r"leak check (\d+) draws\]", statement)
    assert said is not None, statement
    left, again = iter(plain), 0
    expected, before = next(left), np.empty((0, *x.shape), np.float32)
    for batch in checked:
        if expected is not None and np.array_equal(batch, expected):
            expected, before = next(left, None), batch
        else:  # to the bit what it was in its batch, and alone
            assert len(batch) == 1
            assert (before == batch).all(axis=(1, 2)).sum() == 1
            again += 1
    assert expected is None
    assert again == int(said[1]) > 0


@pytest.mark.parametrize("vectors", [1, 2])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_a_rotation_turns_coordinates_and_normals_by_one_matrix(
    vectors: int, batch_size: int, tmp_path: Path
) -> None:
    x, n, sigma = shape(), 400, 0.3
    drawn = Watched(tmp_path).inputs(x, Rotation(sigma, vectors), n, batch_size)
    assert (drawn[:, 3 * vectors :] == x[3 * vectors :]).all()
    angles = np.empty(n)
    for i, row in enumerate(drawn.astype(np.float64)):
        # The matrices are known from the rows alone, by least squares.
        turns = [
            row[first : first + 3] @ np.linalg.pinv(x[first : first + 3].astype(np.float64))
            for first in range(0, 3 * vectors, 3)
        ]
        q = turns[0]
        # Every value is rounded to a grid of 2^-14.
        assert np.allclose(q @ q.T, np.eye(3), atol=1e-4)
        assert np.linalg.det(q) > 0
        assert np.allclose(turns[-1], q, atol=1e-4)
        angles[i] = np.arccos(np.clip((np.trace(q) - 1) / 2, -1, 1))
    assert len(set(angles)) == n
    # The angle is |v| of v ~ N(0, sigma^2 I_3); beyond pi, which is out of reach here, it wraps.
    assert kstest(angles / sigma, chi(3).cdf).pvalue > 1e-3


def test_several_passes_see_one_draw(tmp_path: Path) -> None:
    # The orders change with the pass, the noise does not: the input of the session is one draw.
    x = shape()
    noise = OnChannels(Gaussian(0.2), 0, 3, "the coordinates")
    once, thrice = (Watched(tmp_path / str(k), passes=k).inputs(x, noise, 60, 8) for k in (1, 3))
    assert np.array_equal(once, thrice)


# -- the promise ---------------------------------------------------------------------------------

N, TAU, ALPHA, SIGMA = 2048, 0.75, 0.2, 0.1


def half_space(folder: Path) -> OnnxSegmenter:
    """Class 1 where x > 0, coordinates as they are."""
    path = save(halves(contract={"frame": "own"}), folder / "model.onnx")
    return OnnxSegmenter.open(path, threads=1)


def exact(offsets: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """P(class 1) of points at these signed distances from the boundary."""
    return np.asarray(norm.cdf(offsets / SIGMA))


@pytest.mark.slow
def test_family_wise_error_over_all_points(tmp_path: Path) -> None:
    """Every point a hair below tau for its own class: any certificate is false."""
    segmenter = half_space(tmp_path)
    # So many of each that Bonferroni's level comes near to alpha.
    points, n, repetitions = 256, 61, 500
    x = np.random.default_rng(1).normal(0, 0.3, (3, points)).astype(np.float32)
    x[0] = SIGMA * norm.ppf(TAU) - 1e-6
    assert (exact(x[0].astype(np.float64)) < TAU).all()
    # A point that reaches so many hits is a false certificate; points are independent here.
    threshold = least(n, points)
    level = 1 - (1 - binom.sf(threshold - 1, n, TAU)) ** points
    assert 0.9 * ALPHA < level <= ALPHA, level
    wrong = 0
    for seed in range(repetitions):
        certificate = certify(
            segmenter, x, Gaussian(SIGMA), tau=TAU, n=n, n0=9, alpha=ALPHA,
            correction="bonferroni", seed=seed, batch_size=61,
        )  # fmt: skip
        wrong += bool((certificate.labels != ABSTAIN).any())
    assert binomtest(wrong, repetitions, ALPHA, alternative="greater").pvalue > 1e-4
    # And not by saying nothing: the rate is the exact one, as good as the largest there is.
    assert binomtest(wrong, repetitions, level).pvalue > 1e-4
    assert binom.sf(binom.isf(1e-4, repetitions, ALPHA), repetitions, 2 * ALPHA) > 0.9


def least(n: int, points: int) -> int:
    """The fewest hits that certify one of so many points under Bonferroni."""
    counts = np.arange(n + 1)
    p = binom.sf(counts - 1, n, TAU) + binom.sf(counts - 1, n, 1 - TAU)
    return int(counts[(p <= ALPHA / points) & ((counts - 1) / (n - 1) >= TAU)][0])


def majority(
    segmenter: OnnxSegmenter, x: FloatArray, noise: Perturbation, n: int = 4000
) -> npt.NDArray[np.float64]:
    """How often each point gets class 1 at x."""
    ones = np.zeros(x.shape[1])
    for start in range(0, n, 500):
        batch = np.empty((500, *x.shape), np.float32)
        Draws(noise, 11, digest(x)).write(x, range(start, start + 500), batch)
        ones += (segmenter(batch) == 1).sum(axis=0)
    return ones / n


def certified_at_the_edge(
    segmenter: OnnxSegmenter, x: FloatArray, noise: Perturbation
) -> tuple[Any, npt.NDArray[np.intp]]:
    certificate = certify(segmenter, x, noise, tau=TAU, n=600, n0=20, alpha=1e-3, seed=2)
    found = np.flatnonzero(certificate.labels == 1)
    assert found.size
    return certificate, found


@pytest.mark.slow
def test_certified_points_keep_their_class_up_to_the_radius_and_not_beyond(tmp_path: Path) -> None:
    """Half-space x > 0: the worst perturbation for one point moves that point along x."""
    segmenter = half_space(tmp_path)
    x = np.random.default_rng(1).normal(0, 0.3, (3, 400)).astype(np.float32)
    x[0] = np.linspace(-0.3, 0.3, 400)
    noise = Gaussian(SIGMA)
    certificate, found = certified_at_the_edge(segmenter, x, noise)
    radius = certificate.radius
    assert radius == pytest.approx(SIGMA * norm.ppf(TAU))
    # Of those certified, the closest one to the boundary has the least to spare.
    first = found[np.argmin(x[0, found])]
    spare = float(x[0, first]) - radius
    assert spare > 0, "certified, although the perturbation of this size changes the class"
    assert spare < 0.1 * SIGMA + 0.06, "the test is about points near the edge"
    for i in (*found[:3], *found[::40]):
        moved = x.copy()
        moved[0, i] -= radius
        assert np.linalg.norm(moved - x) <= radius * (1 + 1e-6)
        assert exact(moved[0, i : i + 1].astype(np.float64))[0] > 0.5
    attacked = x.copy()
    attacked[0, first] -= radius
    assert majority(segmenter, attacked, noise)[first] > 0.5
    # One that is just at tau, and would be certified with more draws, falls beyond the radius.
    edge = x.copy()
    edge[0, 0] = radius + 1e-4
    assert exact(edge[0, :1].astype(np.float64))[0] > TAU
    for size, kept in ((1.0, True), (1.3, False)):
        attacked = edge.copy()
        attacked[0, 0] -= size * radius
        share = majority(segmenter, attacked, noise)[0]
        assert (share > 0.5 - 0.03) if kept else (share < 0.5 - 0.03)


def test_noise_is_shared_between_no_points(tmp_path: Path) -> None:
    """An attack on all points at once has sqrt(N) times less for each: R is of the whole input."""
    segmenter = half_space(tmp_path)
    x = np.zeros((3, 64), np.float32)
    x[0] = 0.16
    noise = Gaussian(SIGMA)
    certificate, _ = certified_at_the_edge(segmenter, x, noise)
    attacked = x.copy()
    attacked[0] -= certificate.radius / np.sqrt(64)
    assert np.linalg.norm(attacked - x) <= certificate.radius * (1 + 1e-6)
    assert (majority(segmenter, attacked, noise) > 0.85).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["any axis", "one axis"])
def test_certified_under_rotation_they_keep_their_class_up_to_the_radius_and_not_beyond(
    kind: str, tmp_path: Path
) -> None:
    """Half-space x > 0 again, points on the unit circle about z: turning by s moves the angle."""
    segmenter = half_space(tmp_path)
    sigma = 0.25
    noise: Perturbation = Rotation(sigma) if kind == "any axis" else AxisRotation(sigma, "z")
    angles = np.linspace(-0.6, 0.6, 241)
    x = np.stack([np.sin(angles), np.cos(angles), 0 * angles]).astype(np.float32)
    certificate, found = certified_at_the_edge(segmenter, x, noise)
    radius = certificate.radius
    assert radius >= sigma * norm.ppf(TAU) * (1 - 1e-9)
    first = found[np.argmin(angles[found])]
    assert radius < angles[first] < radius + 0.2
    for size, kept in ((1.0, True), (-1.0, True), (angles[first] / radius + 0.3, False)):
        share = majority(segmenter, turned(x, size * radius), noise)[first]
        assert (share > 0.5) == kept
    # In between: no certified point loses its majority at the radius, about the worst axis.
    shares = majority(segmenter, turned(x, radius), noise)[found]
    assert (shares > 0.5).all()


def turned(x: FloatArray, angle: float) -> FloatArray:
    """x turned about z so that points with x > 0 come nearer to the boundary by `angle`."""
    c, s = np.cos(angle), np.sin(angle)
    q = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return (q @ x.astype(np.float64)).astype(np.float32)


def test_x_and_an_attack_on_it_are_answered_by_one_function(tmp_path: Path) -> None:
    """Nothing between x and the network may look at its content: frame and choice are of before."""
    path = save(linear(np.eye(3), contract={"frame": "own"}), tmp_path / "model.onnx")
    segmenter = OnnxSegmenter.open(path, threads=1, points=50)
    x = ball(50).T.copy() * 3 + 2  # neither centred nor of unit extent
    noise = Gaussian(0.1)
    certificate = certify(segmenter, x, noise, n=60, seed=1)
    draws = Draws(noise, 1, digest(x))
    votes = np.empty((60, 3, 50), np.float32)
    draws.write(x, range(60), votes)
    hits = (votes.argmax(axis=1) == certificate.tally.candidate).sum(axis=0)
    assert np.array_equal(hits, certificate.tally.hits)


@pytest.mark.parametrize("noise", list(every()), ids=describe_noise)
def test_votes_differ_with_the_category_and_so_does_the_digest(
    noise: Perturbation, tmp_path: Path
) -> None:
    segmenter = Watched(tmp_path, restricted=True).segmenter
    tallies = [certify(segmenter, shape(category=k), noise, n=60, seed=1).tally for k in range(3)]
    assert len({tally.draws.digest for tally in tallies}) == 3
    for tally, (_, parts) in zip(tallies, CATEGORIES, strict=True):
        assert set(np.unique(tally.candidate)) <= set(parts)
