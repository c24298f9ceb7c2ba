"""Every perturbation takes its noise from Philox as from NumPy: same law, one stream a draw."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, norm

from onnxcert._typing import Perturbation
from onnxcert.perturbation import Gaussian, OnChannels, Rotation
from onnxcert.sampling.kernels import Compiled, Kernels, PhiloxNoise, Transcription, stream_key

KEY = stream_key(3, "5a" * 32)
CLOUD = np.random.default_rng(0).normal(size=(6, 1000)).astype(np.float32)


def perturbed(perturbation: Perturbation, kernels: Kernels, indices: range) -> np.ndarray:
    out = np.full((len(indices), *CLOUD.shape), np.nan, np.float32)
    noise = PhiloxNoise(kernels, KEY, indices)
    perturbation.perturb(CLOUD, noise, out)
    return out


@pytest.mark.parametrize(
    "perturbation",
    [
        Gaussian(0.25),
        OnChannels(Gaussian(0.05), 0, 3),
        OnChannels(Gaussian(0.05), 0, 5, "", (1, 3)),
        Rotation(0.125, 2),
    ],
    ids=str,
)
def test_a_draw_is_the_same_on_either_machine_and_in_any_batch(
    compiled: Compiled, perturbation: Perturbation
) -> None:
    whole = perturbed(perturbation, Transcription(), range(9))
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(perturbed(perturbation, compiled, range(9)), whole)
    for i in range(9):
        alone = perturbed(perturbation, compiled, range(i, i + 1))
        np.testing.assert_array_equal(alone[0], whole[i])
    assert len({row.tobytes() for row in whole}) == 9


def test_channels_apart_have_noise_of_their_own_each(compiled: Compiled) -> None:
    noise = OnChannels(Gaussian(0.05), 0, 5, "", (1, 3))
    added = perturbed(noise, compiled, range(40)) - CLOUD
    assert (added[:, [1, 3, 5]] == 0).all()
    kept = added[:, [0, 2, 4]].transpose(1, 0, 2).reshape(3, -1)
    assert kstest(kept.ravel(), norm(0, 0.05).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(kept) - np.eye(3)).max() < 0.03


def test_noise_on_some_channels_leaves_the_others_and_has_its_law(compiled: Compiled) -> None:
    out = perturbed(OnChannels(Gaussian(0.05), 0, 3), compiled, range(40))
    np.testing.assert_array_equal(out[:, 3:], np.broadcast_to(CLOUD[3:], (40, 3, 1000)))
    added = (out[:, :3] - CLOUD[:3]).ravel()
    assert kstest(added, norm(0, 0.05).cdf).pvalue > 1e-3
    assert kstest(added, norm(0, 0.051).cdf).pvalue < 1e-3
