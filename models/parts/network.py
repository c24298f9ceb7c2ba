"""A small permutation-equivariant network for noisy, turned point clouds.

A point drowned in noise says little alone, so every layer of points also hears from pools: the
whole shape's maximum and mean, and learned regions - each point shares itself among a few slots,
the slots exchange what they gathered and hand it back. Two layers of slots, many small regions and
few large ones, are the two scales; unlike nearest neighbours they need no search, no ties to break
and no loop over the data.

Everything is a 1 x 1 convolution or a product of matrices *within one shape*, also where vectors of
a whole shape are computed, and no product sums more than RUN terms over many columns: a longer sum,
or a product across the batch, would be cut up otherwise for another batch size or number of
threads, and labels would then depend on the company a shape is in.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

RUN: Final = 128


class Layer(nn.Sequential):
    """1 x 1 convolution, batch normalisation, ReLU."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            nn.Conv1d(channels, width, 1, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)
        )


class Whole(nn.Module):
    """A vector [B, C, 1] of the whole shape from its points [B, C, N]: maximum and mean."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.gather = Layer(channels, 2 * width)
        self.mix = nn.Sequential(Layer(4 * width, 2 * width), nn.Conv1d(2 * width, width, 1))

    def forward(self, points: Tensor) -> Tensor:
        gathered = self.gather(points)
        pools = [gathered.amax(2, keepdim=True), gathered.mean(2, keepdim=True)]
        mixed: Tensor = self.mix(torch.cat(pools, 1))
        return mixed


class Slots(nn.Module):
    """What learned regions of the shape hold, handed back to the points that share in them."""

    def __init__(self, channels: int, width: int, slots: int) -> None:
        super().__init__()
        self.share = nn.Conv1d(channels, slots, 1)
        self.value = nn.Conv1d(channels, width, 1)
        self.among = nn.Conv1d(slots, slots, 1)
        self.within = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(2))
        self.back = nn.Conv1d(width, channels, 1)

    def forward(self, points: Tensor) -> Tensor:
        share = self.share(points).softmax(1)  # [B, K, N]
        mass = share.sum(2, keepdim=True)
        held = _gather(share, self.value(points)) / (mass + 1.0)  # [B, K, W]
        mixed = held + self.among(functional.relu(held))
        columns = mixed.transpose(1, 2)  # [B, W, K]
        first, second = self.within
        columns = columns + second(functional.relu(first(columns)))
        back: Tensor = self.back(columns @ share)
        return back


def _gather(share: Tensor, values: Tensor) -> Tensor:
    """Sums over the points, share [B, K, N] times values [B, W, N]: [B, K, W], run by run."""
    runs = zip(torch.split(share, RUN, 2), torch.split(values, RUN, 2), strict=True)
    held, *more = [part @ value.transpose(1, 2) for part, value in runs]
    for one in more:
        held = held + one
    return held


class Block(nn.Module):
    """Points [B, C, N] to points [B, C, N]: what each is, the whole shape, and learned regions."""

    def __init__(self, channels: int, width: int, slots: int) -> None:
        super().__init__()
        self.whole = Whole(channels, width)
        self.scale = nn.Conv1d(width, channels, 1)
        self.shift = nn.Conv1d(width, channels, 1)
        self.slots = Slots(channels, width, slots)
        self.each = nn.Conv1d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, points: Tensor) -> Tensor:
        whole = self.whole(points)
        own = self.norm(self.each(points) + self.slots(points))
        scale = 1 + self.scale(whole)
        return points + functional.relu(own * scale + self.shift(whole))


class PartsNet(nn.Module):
    """Logits [B, classes, N] from points [B, inputs, N]: coordinates, then normals if any."""

    def __init__(
        self,
        classes: int,
        inputs: int = 6,
        channels: int = 80,
        width: int = 48,
        slots: tuple[int, ...] = (32, 12),
    ) -> None:
        super().__init__()
        self.triples = range(0, inputs, 3)
        self.first = nn.Sequential(Layer(inputs, 32), Layer(32, channels // 2))
        self.pose = Whole(channels // 2, width)
        # Starts as no turn at all; what it learns is to undo some of the rotation and the noise.
        self.turn = nn.Conv1d(width, 9, 1)
        for parameter in self.turn.parameters():
            nn.init.zeros_(parameter)
        self.lift = Layer(2 * inputs + channels // 2, channels)
        self.tell = nn.Conv1d(width, channels, 1)
        self.blocks = nn.ModuleList(Block(channels, width, count) for count in slots)
        self.early = nn.Conv1d(channels, channels, 1, bias=False)
        self.late = nn.Conv1d(channels, channels, 1, bias=False)
        self.head = nn.Sequential(
            nn.BatchNorm1d(channels), nn.ReLU(inplace=True), nn.Conv1d(channels, classes, 1)
        )

    def forward(self, points: Tensor) -> Tensor:
        """Logits of points in the unit-sphere frame."""
        early = self.first(points)
        pose = self.pose(early)
        matrix = self.turn(pose).view(-1, 3, 3)
        turned = torch.cat([matrix @ points[:, i : i + 3] for i in self.triples], 1)
        features = self.lift(torch.cat([points, turned, early], 1)) + self.tell(pose)
        start = features
        for block in self.blocks:
            features = block(features)
        logits: Tensor = self.head(self.early(start) + self.late(features))
        return logits
