"""A perturbation of some channels is that perturbation there, and nothing elsewhere."""

from __future__ import annotations

import json

import numpy as np
import pytest
from refusals import one_sentence

from onnxcert._typing import Perturbation
from onnxcert.errors import ParameterError
from onnxcert.perturbation import PERTURBATIONS, AxisRotation, Gaussian, OnChannels, Rotation
from onnxcert.sampling.backend import NUMPY
from onnxcert.sampling.backend.in_memory import NumpyNoise
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Tally
from onnxcert.statistics import decide
from onnxcert.statistics.guarantee import (
    describe_attack,
    describe_formula,
    describe_noise,
    format_radius,
)
from onnxcert.statistics.rule import Rule

X = np.random.default_rng(0).standard_normal((7, 50)).astype(np.float32)
EACH: list[Perturbation] = [Gaussian(0.25), Rotation(0.25), AxisRotation(0.25, "y")]


def rngs(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(count)]


def perturbed(perturbation: Perturbation, x: np.ndarray, count: int = 5) -> np.ndarray:
    out = np.full((count, *x.shape), np.nan, np.float32)
    perturbation.perturb(x, NumpyNoise(rngs(count)), out)
    return out


@pytest.mark.parametrize("of", EACH, ids=lambda p: p.name)
def test_the_chosen_channels_get_the_noise_of_an_input_of_their_own(of: Perturbation) -> None:
    out = perturbed(OnChannels(of, 2, 5), X)
    np.testing.assert_array_equal(out[:, 2:5], perturbed(of, X[2:5]))
    for other in (slice(0, 2), slice(5, 7)):
        np.testing.assert_array_equal(out[:, other], np.broadcast_to(X[other], out[:, other].shape))
    assert np.isfinite(out).all()


def test_channels_apart_get_the_noise_of_an_input_of_their_own() -> None:
    noise = OnChannels(Gaussian(0.25), 1, 6, "some", (2, 3))
    for x in (X, X.reshape(7, 5, 10)):
        out = perturbed(noise, x)
        np.testing.assert_array_equal(out[:, [1, 4, 5]], perturbed(noise.of, x[[1, 4, 5]]))
        for other in (0, 2, 3, 6):
            assert (out[:, other] == x[other]).all()
        added = (out - x)[:, [1, 4, 5]]
        assert len(np.unique(added)) > 0.99 * added.size  # one number each, none for two channels
        prepared = np.full_like(out, np.nan)
        noise.perturb(noise.prepare(x, NUMPY), NumpyNoise(rngs(5)), prepared)
        np.testing.assert_array_equal(prepared, out)
    assert noise.law_error((7, 50)) == noise.of.law_error((3, 50))
    assert describe_noise(noise) == "gaussian sigma 0.25 on some (channels 1, 4, 5)"
    again = PERTURBATIONS[noise.name](**json.loads(json.dumps(noise.parameters())))
    assert again == noise


@pytest.mark.parametrize("left_out", [(0,), (1,), (5,), (6,), (3, 2), (2, 2), (2.0,), "2", None, 2])
def test_channels_left_out_lie_between_those_perturbed(left_out: object) -> None:
    with pytest.raises(ParameterError, match="left out must lie between 1 and 5"):
        OnChannels(Gaussian(0.25), 1, 6, "some", left_out)  # type: ignore[arg-type]


def test_a_rotation_turns_channels_side_by_side() -> None:
    with pytest.raises(ParameterError, match="give exactly the channels to rotate"):
        OnChannels(Rotation(0.25), 0, 4, "", (1,))


@pytest.mark.parametrize("of", EACH, ids=lambda p: p.name)
def test_all_that_is_said_of_size_is_said_by_the_perturbation_inside(of: Perturbation) -> None:
    wrapped = OnChannels(of, 0, 3, "the coordinates")
    assert wrapped.sigma == of.sigma
    assert wrapped.radius(0.8) == of.radius(0.8) > 0
    assert (wrapped.norm, wrapped.unit) == (of.norm, of.unit)
    assert wrapped.formula == of.formula
    assert describe_formula(wrapped, 0.8) == describe_formula(of, 0.8)
    assert format_radius(wrapped, 0.1) == format_radius(of, 0.1)
    name, number = describe_noise(of).split(" sigma ")
    assert describe_noise(wrapped).startswith(f"{name} sigma {number.split(' of ')[0]}")
    assert "the coordinates (channels 0 to 2)" in describe_noise(wrapped)
    assert " the coordinates " in describe_attack(wrapped, "R", "metres")


def test_the_statement_names_the_channels_that_may_be_attacked_and_no_others() -> None:
    hits = np.array([[90, 50]])
    draws = Draws(OnChannels(Gaussian(0.25), 0, 3, "the coordinates"), 1, "ab" * 32)
    zero = np.zeros_like(hits)
    tally = Tally(zero, hits, zero, 100, 10, "pooled", 2, 0, draws, unit="metres", kind="points")
    text = decide(tally, Rule()).statement()
    assert "every perturbation d of the coordinates (channels 0 to 2) with L2 norm" in text
    assert "[gaussian sigma 0.25 on the coordinates (channels 0 to 2), tau 0.75, " in text
    assert "of the input" not in text.replace("certified component of an input", "")
    assert "every perturbation d of the channels 4 to 6 with" in describe_attack(
        OnChannels(Gaussian(0.25), 4, 7), "R", "metres"
    )
    assert "the channel 4 with" in describe_attack(OnChannels(Gaussian(0.25), 4, 5), "R", "metres")


@pytest.mark.parametrize("of", EACH[1:], ids=lambda p: p.name)
def test_a_rotation_of_some_channels_names_these_and_nothing_else(of: Perturbation) -> None:
    wrapped = OnChannels(of, 3, 6, "the normals")
    for said in (describe_noise(wrapped), describe_attack(wrapped, "R", "radians")):
        assert "of the normals (channels 3 to 5)" in said
        assert "coordinates" not in said
    assert (
        describe_noise(wrapped, before=True)
        == f"{describe_noise(of)} on the normals (channels 3 to 5)"
    )


@pytest.mark.parametrize("of", EACH, ids=lambda p: p.name)
def test_parameters_are_plain_values_that_make_it_again(of: Perturbation) -> None:
    for one in (of, OnChannels(of, 1, 4, "these"), OnChannels(of, 0, 3)):
        plain = json.loads(json.dumps(one.parameters()))
        again = PERTURBATIONS[one.name](**plain)
        assert again == one
        assert hash(again) == hash(one)


@pytest.mark.parametrize(
    "wrong",
    [
        {"of": {"perturbation": "affine", "sigma": 1.0}},
        {"of": {"sigma": 1.0}},
        {"of": "gaussian"},
        {"of": OnChannels(Gaussian(0.1), 0, 1)},
        {"start": -1},
        {"start": 3},
        {"stop": 2.0},
        {"start": True},
        {"called": 3},
    ],
    ids=str,
)
def test_what_is_no_range_or_no_perturbation_is_refused(wrong: dict[str, object]) -> None:
    with one_sentence(ParameterError):
        OnChannels(**{"of": Gaussian(0.1), "start": 0, "stop": 3, **wrong})  # type: ignore[arg-type]


def test_the_input_must_have_the_channels_and_they_must_hold_the_noise() -> None:
    OnChannels(Rotation(0.1), 4, 7).check(X)
    with pytest.raises(ParameterError, match=r"at least 8 channels first, got the shape \[7, 50\]"):
        OnChannels(Gaussian(0.1), 0, 8).check(X)
    with pytest.raises(ParameterError, match="rotates 3 channels"):
        OnChannels(Rotation(0.1), 0, 2)
    # Only what is perturbed counts.
    large = X.copy()
    large[6] = 1e9
    OnChannels(Gaussian(0.1), 0, 3).check(large)
    with pytest.raises(ParameterError, match="too small"):
        OnChannels(Gaussian(0.1), 4, 7).check(large)
