"""Neighbour search: nearest points, points in a ball, interpolation."""

from __future__ import annotations

import torch
from torch import Tensor


def find_nearest(distances: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the `count` smallest squared distances of the last axis, ascending, and their indices.

    Ties are ordered by index, as in ONNX's TopK but not in PyTorch's.
    """
    if torch.onnx.is_in_onnx_export():
        found, index = distances.topk(count, largest=False, sorted=True)
        return found, index
    many = distances.shape[-1]
    # Non-negative floats are ordered as their bits; adding the index makes all of them distinct.
    bits = distances.float().contiguous().view(torch.int32).long()
    order = bits * many + torch.arange(many, device=distances.device)
    index = order.topk(count, largest=False, sorted=True).values % many
    return distances.gather(-1, index), index


def in_ball(found: Tensor, index: Tensor, radius: float, count: int) -> Tensor:
    """Return the `count` nearest points within `radius`, padded with the nearest one.

    If a ball holds more points, the nearest are taken and not the first in the file, so that the
    prediction for a point does not depend on the order of the others.

    Args:
        found: squared distances of neighbours in ascending order, the first one within `radius`;
            [B, S, K].
        index: indices of these neighbours; [B, S, K].
        radius: radius of the closed ball.
        count: number of points to return, at most K.

    Returns:
        Indices [B, S, count].
    """
    inside = found[..., :count] <= radius * radius
    return torch.where(inside, index[..., :count], index[..., :1])


def gather_rows(values: Tensor, index: Tensor) -> Tensor:
    """Gather rows of each shape's `values` [B, N, C] at `index` [B, ...]: [B, ..., C]."""
    batch, many, width = values.shape
    first = torch.arange(batch, device=index.device) * many
    flat = index + first.reshape(-1, *[1] * (index.dim() - 1))
    taken = values.reshape(-1, width).index_select(0, flat.reshape(-1))
    return taken.reshape(batch, *index.shape[1:], width)


def interpolate(distances: Tensor, values: Tensor) -> Tensor:
    """Interpolate from the 3 nearest known points, weighted by inverse squared distance.

    Args:
        distances: squared distances of each point from each known point; [B, N, S].
        values: values at the known points; [B, S, C].

    Returns:
        Floats [B, N, C]; a known point keeps its own value, up to rounding.
    """
    found, index = find_nearest(distances, min(3, distances.shape[2]))
    weight = 1 / found.clamp_min(1e-10)
    weight = weight / weight.sum(2, keepdim=True)
    return (gather_rows(values, index) * weight[..., None]).sum(2)
