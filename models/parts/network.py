"""Small permutation-equivariant network for noisy, rotated point clouds.

One noisy point carries little information, so each layer also gets pooled features: maximum and
mean over the whole shape, and learned regions. For the regions, each point is assigned softly to a
few slots; the slots exchange their features and return them to the points. Two layers of slots,
with many small and few large regions, give two scales. Unlike nearest neighbours they need no
search, no tie breaking and no loop over the data.

All operations are 1 x 1 convolutions or matrix products *within one shape*, also for vectors of a
whole shape, and no product sums more than RUN terms over many columns. Longer sums and products
across the batch would be split differently for another batch size or number of threads, and the
labels of a shape would depend on its batch.
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
    """Global features [B, C, 1] of a shape from its points [B, C, N]: maximum and mean."""

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
    """Features of learned regions of the shape, returned to the points assigned to them."""

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
    """Sum share [B, K, N] times values [B, W, N] over the points, in runs of RUN: [B, K, W]."""
    runs = zip(torch.split(share, RUN, 2), torch.split(values, RUN, 2), strict=True)
    held, *more = [part @ value.transpose(1, 2) for part, value in runs]
    for one in more:
        held = held + one
    return held


class Block(nn.Module):
    """Residual block [B, C, N] to [B, C, N]: point-wise, global and region features."""

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
    """Network from points [B, inputs, N] (coordinates, any normals) to logits [B, classes, N]."""

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
        # The zero matrix at first; it learns to undo some of the rotation and the noise.
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
        """Return the logits of points in the unit-sphere frame."""
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
