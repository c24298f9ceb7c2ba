"""Layers of PointNet++ (Qi, Yi, Su and Guibas, NeurIPS 2017), points before channels.

In evaluation mode batch normalisation is folded into the weights, so each layer of the exported
graph is one matrix product with bias and ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .grouping import find_nearest, gather_rows, in_ball


@dataclass(frozen=True)
class Scale:
    """Ball around each centre: radius, number of points, widths of its layers."""

    radius: float
    samples: int
    widths: tuple[int, ...]


class Dense(nn.Module):
    """Linear layer with batch normalisation and ReLU: [..., width] to [..., out]."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, out, bias=False)
        self.norm = nn.BatchNorm1d(out)

    def forward(self, values: Tensor) -> Tensor:
        flat = values.reshape(-1, values.shape[-1])
        if self.training:
            flat = self.norm(self.linear(flat))
        else:
            flat = functional.linear(flat, *self.fold_norm())
        return flat.relu().reshape(*values.shape[:-1], -1)

    def fold_norm(self) -> tuple[Tensor, Tensor]:
        """Return weight [out, width] and bias [out] with batch normalisation folded in."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        return self.linear.weight * scale[:, None], norm.bias - norm.running_mean * scale


class Grouped(Dense):
    """First layer of a ball: `Dense` of [point - centre, features of the point].

    A linear map of a difference is a difference of linear maps, so each point is mapped once
    instead of once for each ball that contains it.
    """

    def forward(self, points: Tensor, centres: Tensor, index: Tensor) -> Tensor:  # type: ignore[override]
        """Map points [B, N, 3 + C], centres [B, S, 3] and index [B, S, K] to [B, S, K, out]."""
        if self.training:
            weight, bias = self.linear.weight, None
        else:
            weight, bias = self.fold_norm()
        each = functional.linear(points, weight)
        start = functional.linear(centres, weight[:, :3])
        if bias is not None:
            start = start - bias
        values = gather_rows(each, index) - start[:, :, None]
        if self.training:
            values = self.norm(values.reshape(-1, values.shape[-1])).reshape(values.shape)
        return values.relu()


def dense(width: int, widths: Sequence[int]) -> nn.Sequential:
    """Return a stack of `Dense` layers from `width` channels through `widths`."""
    return nn.Sequential(*(Dense(a, b) for a, b in zip([width, *widths], widths, strict=False)))


class SetAbstraction(nn.Module):
    """Features of centres from the points around them: one PointNet per scale, concatenated."""

    def __init__(self, width: int, scales: Sequence[Scale]) -> None:
        super().__init__()
        self.scales = tuple(scales)
        self.width = sum(scale.widths[-1] for scale in scales)
        self.first = nn.ModuleList(Grouped(3 + width, scale.widths[0]) for scale in scales)
        self.rest = nn.ModuleList(dense(scale.widths[0], scale.widths[1:]) for scale in scales)

    def forward(
        self, places: Tensor, features: Tensor, centres: Tensor, distances: Tensor
    ) -> Tensor:
        """Return features [B, S, width].

        Args:
            places: coordinates of the points, [B, N, 3].
            features: features of the points, [B, N, C].
            centres: coordinates of the centres, a subset of the points; [B, S, 3].
            distances: squared distances of all points from each centre; [B, S, N].
        """
        most = min(max(scale.samples for scale in self.scales), places.shape[1])
        found, index = find_nearest(distances, most)
        points = torch.cat([places, features], 2)
        pooled = []
        for scale, first, rest in zip(self.scales, self.first, self.rest, strict=True):
            ball = in_ball(found, index, scale.radius, min(scale.samples, most))
            pooled.append(rest(first(points, centres, ball)).amax(2))
        return torch.cat(pooled, 2)
