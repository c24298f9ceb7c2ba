"""Neighbours of points: the nearest, those in a ball, and values between known points."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest(distances: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` smallest squared distances of the last axis, smallest first, and their indices.

    Of equal ones that with the lower index comes first, as ONNX's TopK has it and PyTorch's not.
    """
    if torch.onnx.is_in_onnx_export():
        found, index = distances.topk(count, largest=False, sorted=True)
        return found, index
    many = distances.shape[-1]
    # The bits of floats not below 0 are in the order of the floats; with the index, none are equal.
    bits = distances.float().contiguous().view(torch.int32).long()
    order = bits * many + torch.arange(many, device=distances.device)
    index = order.topk(count, largest=False, sorted=True).values % many
    return distances.gather(-1, index), index


def in_ball(found: Tensor, index: Tensor, radius: float, count: int) -> Tensor:
    """The at most `count` nearest points within `radius`; the nearest again for each one missing.

    Of a crowded ball the nearest points are taken, not the first of the file: so the answer for a
    point does not depend on the order of the others.

    Args:
        found, index: squared distances and indices of neighbours, nearest first, the first within
            `radius`; [B, S, K].
        radius: the ball's, its surface included.
        count: how many to return, K at most.

    Returns:
        Indices [B, S, count].
    """
    inside = found[..., :count] <= radius * radius
    return torch.where(inside, index[..., :count], index[..., :1])


def rows(values: Tensor, index: Tensor) -> Tensor:
    """Rows of each shape's `values` [B, N, C] at its own `index` [B, ...]: [B, ..., C]."""
    batch, many, width = values.shape
    first = torch.arange(batch, device=index.device) * many
    flat = index + first.reshape(-1, *[1] * (index.dim() - 1))
    taken = values.reshape(-1, width).index_select(0, flat.reshape(-1))
    return taken.reshape(batch, *index.shape[1:], width)


def interpolated(distances: Tensor, values: Tensor) -> Tensor:
    """Values between points where they are known: the 3 nearest, by inverse squared distance.

    Args:
        distances: squared, of each point from each known one; [B, N, S].
        values: at the known points; [B, S, C].

    Returns:
        Floats [B, N, C]; at a known point its own value, up to rounding.
    """
    found, index = nearest(distances, min(3, distances.shape[2]))
    weight = 1 / found.clamp_min(1e-10)
    weight = weight / weight.sum(2, keepdim=True)
    return (rows(values, index) * weight[..., None]).sum(2)
