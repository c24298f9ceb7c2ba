"""Small U-Net for images under heavy noise.

It works at half resolution and below: one noisy pixel carries little information, so the first
layer already pools a neighbourhood, and five downsampling steps let each output see the whole
scene.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 56, 72, 88)


class Block(nn.Sequential):
    """Convolution, batch normalisation, ReLU; `stride` 2 halves the resolution, rounded up."""

    def __init__(self, channels: int, width: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )


class StreetNet(nn.Module):
    """Network from normalised images [B, 3, H, W] to logits [B, classes, H, W]."""

    def __init__(self, classes: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        first, *deeper = widths
        self.stem = nn.Sequential(Block(3, first, kernel=5, stride=2), Block(first, first))
        pairs = list(zip(widths, deeper, strict=False))
        self.down = nn.ModuleList(
            nn.Sequential(Block(shallow, deep, stride=2), Block(deep, deep))
            for shallow, deep in pairs
        )
        self.up = nn.ModuleList(Block(deep + shallow, shallow) for shallow, deep in reversed(pairs))
        self.head = nn.Conv2d(first, classes, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits at the resolution of the images, whose sides are at least 32 pixels."""
        features = self.stem(images)
        skips = []
        for down in self.down:
            skips.append(features)
            features = down(features)
        for up in self.up:
            skip = skips.pop()
            features = up(torch.cat([_resize(features, skip), skip], 1))
        return _resize(self.head(features), images)


def _resize(features: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(
        features, size=like.shape[-2:], mode="bilinear", align_corners=False
    )
