"""A new perturbation of the input is one class and one line: this one has all that is required."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.special import ndtr

from onnxcert import _typing
from onnxcert.perturbation import PLAIN, Gaussian, OnChannels
from onnxcert.sampling import Count, sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics import decide
from onnxcert.statistics.guarantee import describe_attack
from onnxcert.statistics.rule import Rule


@dataclass(frozen=True)
class Uniform:
    """Noise e ~ U(-sigma, sigma)^d, which certifies an L1 ball (Yang et al. 2020)."""

    name: ClassVar[str] = "uniform"
    norm: ClassVar[str] = "L1"
    unit: ClassVar[str] = ""
    formula: ClassVar[str] = "2 * {sigma} * ({tau} - 1/2)"
    sigma: float

    def parameters(self) -> dict[str, Any]:
        return {"sigma": self.sigma}

    def check(self, x: _typing.FloatArray) -> None: ...

    def law_error(self, shape: tuple[int, ...]) -> float:
        return math.prod(shape) * 2.0**-30

    def prepare(self, x: _typing.Array, backend: Any) -> _typing.Array:  # noqa: ARG002
        return x

    def perturb(self, x: _typing.Array, noise: _typing.Noise, out: _typing.Array) -> None:
        u = 2.0 * ndtr(noise.normals(math.prod(out.shape[1:]))) - 1.0
        out[...] = x + np.float32(self.sigma) * u.reshape(out.shape)

    def radius(self, tau: float) -> float:
        return 2.0 * self.sigma * (tau - 0.5)


def test_nothing_more_is_required() -> None:
    required, mine = (
        {name for name in {*vars(kind), *kind.__annotations__} if not name.startswith("_")}
        for kind in (_typing.Perturbation, Uniform)
    )
    assert required == mine


@pytest.mark.parametrize("some_channels", [False, True])
def test_it_is_drawn_counted_decided_and_worded(
    some_channels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLAIN, Uniform.name, Uniform)
    noise = OnChannels(Uniform(0.25), 0, 1, "red") if some_channels else Uniform(0.25)
    x = np.zeros((2, 3, 4), np.float32)
    draws = Draws(noise, 1, digest(x))
    count = Count(draws, 100, 10, "pooled", 2, law_error=draws.law_error(x.shape))
    tally = sample(lambda batch: (batch[:, 0] > 0.2).astype(np.int64), x, count, batch_size=8)
    assert (tally.candidate == 0).all()
    assert 50 < tally.hits.min() < 100  # P(e > 0.2) = 0.1
    assert 0.0 < tally.law_error < 1e-6
    text = decide(tally, Rule()).statement()
    part, where = ("red (channel 0)", " on red (channel 0)") if some_channels else ("the input", "")
    assert (
        f"every perturbation d of {part} with L1 norm at most R = 2 * sigma * (tau - 1/2) = "
        "2 * 0.25 * (0.75 - 1/2) = 0.125 ("
    ) in text
    assert f"[uniform sigma 0.25{where}, tau 0.75, " in text


def test_a_unit_of_its_own_is_the_unit_of_the_guarantee() -> None:
    class InGreyLevels(Gaussian):
        unit = "grey levels"

    words = describe_attack(InGreyLevels(64.0), "R = 43.16", "pixel values in [0, 1]")
    assert "(grey levels)" in words
    assert "pixel values" not in words
