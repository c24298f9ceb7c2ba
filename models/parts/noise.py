"""What a shape meets in training: noise on its coordinates, or a random rotation of it all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Diet:
    """How strong the noise is that the shapes of a batch get, and how often.

    Attributes:
        sigma: largest deviation of the noise on coordinates, in the unit of the frame.
        often: the deviation that is certified with most, met as often as the largest.
        rotation: largest deviation of the rotation vector in radians; half of it is met as well.
    """

    sigma: float = 0.25
    often: float = 0.05
    rotation: float = 0.25

    def strengths(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Sigma and rotation of each of `count` shapes, [count] each; one of the two is 0."""
        pick = rng.random(count)
        sigma = np.select(
            [pick < 0.18, pick < 0.44, pick < 0.56],
            [min(self.often, self.sigma), self.sigma, self.sigma * rng.random(count)],
        )
        spin = np.select(
            [pick < 0.56, pick < 0.74, pick < 0.96], [0, self.rotation / 2, self.rotation]
        )
        return torch.from_numpy(sigma).float(), torch.from_numpy(spin).float()


def two_views(clouds: Tensor, diet: Diet, rng: np.random.Generator) -> Tensor:
    """Each cloud [B, 3 or 6, N] twice, [2 B, ...], under independent draws of equal strength."""
    sigma, spin = (values.repeat(2) for values in diet.strengths(len(clouds), rng))
    twice = clouds.repeat(2, 1, 1)
    turn = rotations(spin[:, None] * torch.randn(len(twice), 3))
    views = torch.cat([turn @ triple for triple in torch.split(twice, 3, 1)], 1)
    views[:, :3] += sigma[:, None, None] * torch.randn_like(views[:, :3])
    return views


def rotations(vectors: Tensor) -> Tensor:
    """The rotations exp([v]x) [B, 3, 3] of rotation vectors [B, 3]."""
    cross = vectors.new_zeros(len(vectors), 3, 3)
    for row, column, axis, sign in ((0, 1, 2, -1), (0, 2, 1, 1), (1, 2, 0, -1)):
        cross[:, row, column] = sign * vectors[:, axis]
        cross[:, column, row] = -sign * vectors[:, axis]
    turned: Tensor = torch.linalg.matrix_exp(cross)
    return turned
