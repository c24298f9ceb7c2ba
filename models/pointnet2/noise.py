"""Noise and augmentation in training, including the noise of certification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Noise:
    """Random changes of shapes, applied in this order.

    Attributes:
        drop: largest share of a shape's points that is replaced by copies of its first point; the
            share is uniform.
        scale: shapes are scaled by a uniform factor in [1 / `scale`, `scale`].
        shift: largest shift along each axis; uniform.
        rotation: sigma of the rotation exp([v]x) of points and normals, v ~ N(0, rotation^2 I_3),
            in radians.
        sigma: sigma of the Gaussian noise on the coordinates, in units of the unit sphere.
    """

    drop: float = 0.0
    scale: float = 1.0
    shift: float = 0.0
    rotation: float = 0.0
    sigma: float = 0.0

    def __call__(self, points: Tensor) -> Tensor:
        """Change points [B, 3 or 6, N], each shape independently."""
        batch, _, many = points.shape
        if self.drop > 0:
            lost = torch.rand(batch, 1, many) < self.drop * torch.rand(batch, 1, 1)
            points = torch.where(lost.to(points.device), points[:, :, :1], points)
        places, normals = points[:, :3], points[:, 3:]
        if self.scale > 1:
            factor = torch.rand(batch, 1, 1) * (self.scale - 1 / self.scale) + 1 / self.scale
            places = places * factor.to(points)
        if self.shift > 0:
            places = places + ((2 * torch.rand(batch, 3, 1) - 1) * self.shift).to(points)
        if self.rotation > 0:
            turn = rotations(self.rotation * torch.randn(batch, 3)).to(points)
            places, normals = turn @ places, turn @ normals if normals.shape[1] else normals
        if self.sigma > 0:
            places = places + (self.sigma * torch.randn(batch, 3, many)).to(points)
        return torch.cat([places, normals], 1)


def rotations(vectors: Tensor) -> Tensor:
    """Return exp([v]x) [B, 3, 3], the rotation about v [B, 3] by its length in radians."""
    x, y, z = vectors.unbind(1)
    zero = torch.zeros_like(x)
    rows = (zero, -z, y, z, zero, -x, -y, x, zero)
    turns: Tensor = torch.linalg.matrix_exp(torch.stack(rows, 1).reshape(-1, 3, 3))
    return turns
