"""Noise in training: Gaussian noise on the coordinates, or a random rotation of the shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class TrainingNoise:
    """Distribution of the noise levels in a batch.

    Attributes:
        sigma: largest sigma of the noise on the coordinates, in the unit of the frame.
        usual_sigma: a smaller sigma, the usual one in certification, which gets its own share.
        rotation: largest sigma of the rotation vector, in radians; half of it is used as well.
    """

    sigma: float = 0.25
    usual_sigma: float = 0.05
    rotation: float = 0.25

    def draw_levels(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw sigma and rotation of `count` shapes, [count] each; at least one of the two is 0."""
        pick = rng.random(count)
        sigma = np.select(
            [pick < 0.18, pick < 0.44, pick < 0.56],
            [min(self.usual_sigma, self.sigma), self.sigma, self.sigma * rng.random(count)],
        )
        spin = np.select(
            [pick < 0.56, pick < 0.74, pick < 0.96], [0, self.rotation / 2, self.rotation]
        )
        return torch.from_numpy(sigma).float(), torch.from_numpy(spin).float()


def two_views(clouds: Tensor, noise: TrainingNoise, rng: np.random.Generator) -> Tensor:
    """Return each cloud [B, 3 or 6, N] twice, [2 B, ...], with independent noise of equal level."""
    sigma, spin = (values.repeat(2) for values in noise.draw_levels(len(clouds), rng))
    twice = clouds.repeat(2, 1, 1)
    turn = rotations(spin[:, None] * torch.randn(len(twice), 3))
    views = torch.cat([turn @ triple for triple in torch.split(twice, 3, 1)], 1)
    views[:, :3] += sigma[:, None, None] * torch.randn_like(views[:, :3])
    return views


def rotations(vectors: Tensor) -> Tensor:
    """Return the rotations exp([v]x) [B, 3, 3] of rotation vectors [B, 3]."""
    cross = vectors.new_zeros(len(vectors), 3, 3)
    for row, column, axis, sign in ((0, 1, 2, -1), (0, 2, 1, 1), (1, 2, 0, -1)):
        cross[:, row, column] = sign * vectors[:, axis]
        cross[:, column, row] = -sign * vectors[:, axis]
    turned: Tensor = torch.linalg.matrix_exp(cross)
    return turned
