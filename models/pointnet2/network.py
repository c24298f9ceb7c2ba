"""PointNet++ for part segmentation, with multi-scale grouping.

Qi, Yi, Su, Guibas: PointNet++: Deep hierarchical feature learning on point sets in a metric space,
NeurIPS 2017; the architecture is that of its supplement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from .grouping import gather_rows, interpolate
from .layers import Scale, SetAbstraction, dense
from .sampling import farthest_points


@dataclass(frozen=True)
class Sizes:
    """Sizes of the network.

    Attributes:
        centres: number of centres at each level of set abstraction; decreasing.
        scales: balls around the centres, by level.
        whole: widths of the layers on the whole shape.
        back: widths of the feature propagation, from the whole shape back to every point.
        head: width of the layer before the scores.
        dropout: dropout rate of the head.
    """

    centres: tuple[int, ...]
    scales: tuple[tuple[Scale, ...], ...]
    whole: tuple[int, ...]
    back: tuple[tuple[int, ...], ...]
    head: int
    dropout: float = 0.5


FULL: Final = Sizes(
    centres=(512, 128),
    scales=(
        (
            Scale(0.1, 32, (32, 32, 64)),
            Scale(0.2, 64, (64, 64, 128)),
            Scale(0.4, 128, (64, 96, 128)),
        ),
        (Scale(0.4, 64, (128, 128, 256)), Scale(0.8, 128, (128, 196, 256))),
    ),
    whole=(256, 512, 1024),
    back=((256, 256), (256, 128), (128, 128)),
    head=128,
)
# A tenth of the work: for a CPU.
SMALL: Final = Sizes(
    centres=(256, 64),
    scales=(
        (Scale(0.2, 24, (16, 24, 32)), Scale(0.4, 48, (16, 32, 48))),
        (Scale(0.4, 24, (48, 64, 96)), Scale(0.8, 48, (48, 64, 96))),
    ),
    whole=(128, 256),
    back=((128, 128), (96, 64), (64, 64)),
    head=64,
    dropout=0.3,
)


class PointNet2(nn.Module):
    """Log-probabilities [B, N, classes] of points [B, 3 + C, N] of a category, one-hot [B, G]."""

    def __init__(
        self, classes: int = 50, features: int = 3, categories: int = 16, sizes: Sizes = FULL
    ) -> None:
        """Build a network.

        Args:
            classes: number of parts, over all categories.
            features: number of channels besides the coordinates, such as 3 of normals.
            categories: number of categories; 0 if the network does not get the category.
            sizes: sizes of the layers.
        """
        super().__init__()
        self.centres = sizes.centres
        levels, widths = [], [features]
        for scales in sizes.scales:
            levels.append(SetAbstraction(widths[-1], scales))
            widths.append(levels[-1].width)
        self.levels = nn.ModuleList(levels)
        self.whole = dense(3 + widths[-1], sizes.whole)
        # The last propagation layer also gets the coordinates and the category.
        widths[0] += 3 + categories
        below, back = sizes.whole[-1], []
        for width, layers in zip(reversed(widths), sizes.back, strict=True):
            back.append(dense(below + width, layers))
            below = layers[-1]
        self.back = nn.ModuleList(back)
        self.head = nn.Sequential(
            *dense(below, [sizes.head]), nn.Dropout(sizes.dropout), nn.Linear(sizes.head, classes)
        )

    def forward(self, points: Tensor, label: Tensor | None = None) -> Tensor:
        """Map points [B, 3 + C, N] and one-hot `label` [B, G] to log-probabilities.

        Returns:
            Floats [B, N, classes].
        """
        chosen, away = farthest_points(points[:, :3], self.centres[0])
        inputs = points.transpose(1, 2)
        place, feature = inputs[:, :, :3], inputs[:, :, 3:]
        propagated = (
            [inputs] if label is None else [inputs, label[:, None].expand(-1, points.shape[2], -1)]
        )
        # Sampling the sampled points gives a prefix of them, so the centres of each level are a
        # prefix of those of the first level.
        sampled = gather_rows(place, chosen)
        distances = [away, *self._level_distances(chosen, away)]
        features = [torch.cat(propagated, 2)]
        for count, level, distance in zip(self.centres, self.levels, distances, strict=True):
            centres = sampled[:, :count]
            feature = level(place, feature, centres, distance)
            place = centres
            features.append(feature)

        values = self.whole(torch.cat([place, feature], 2)).amax(1, keepdim=True)
        values = values.expand(-1, self.centres[-1], -1)
        for i, layers in enumerate(self.back):
            if i > 0:
                values = interpolate(distances[-i].transpose(1, 2), values)
            values = layers(torch.cat([features[-1 - i], values], 2))
        scores: Tensor = self.head(values)
        return scores.log_softmax(2)

    def _level_distances(self, chosen: Tensor, away: Tensor) -> list[Tensor]:
        """Return the squared distances of each level's points from the next level's centres."""
        if len(self.centres) == 1:
            return []
        rows = away[:, : self.centres[1]]
        among = rows.gather(2, chosen[:, None].expand(-1, self.centres[1], -1))
        levels = zip(self.centres, self.centres[1:], strict=False)
        return [among[:, :centres, :points] for points, centres in levels]
