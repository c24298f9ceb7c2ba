"""Networks: a U-Net and a very light one, with random weights from a fixed seed."""

from __future__ import annotations

from pathlib import Path

import torch
from onnxcert.converters.pytorch import export
from torch import nn
from torch.nn import functional

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(name: str, classes: int) -> nn.Module:
    """Return `unet` or `light`, from normalised images [B, 3, H, W] to scores [B, C, H, W]."""
    torch.manual_seed(0)
    made: nn.Module = {"unet": UNet, "light": Light}[name](classes)
    return made.eval()


def export_model(name: str, classes: int, folder: Path) -> Path:
    """Return the path of its ONNX file with normalisation; export it if it is missing."""
    path = folder / f"{name}-{classes}.onnx"
    if not path.exists():
        names = [f"class {c}" for c in range(classes)]
        size = (64, 96)
        export(
            network(name, classes), path, example_size=size, class_names=names, mean=MEAN, std=STD
        )
    return path


class Light(nn.Module):
    """Two convolutions: very cheap, so that every overhead is visible."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.second(functional.relu(self.first(x)))
        return scores


class UNet(nn.Module):
    """Three levels of two convolutions each with batch normalisation, 16 to 64 channels."""

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [_double(3, width), _double(width, 2 * width), _double(2 * width, 4 * width)]
        )
        self.up = nn.ModuleList([_double(6 * width, 2 * width), _double(3 * width, width)])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        top = self.down[0](x)
        middle = self.down[1](functional.max_pool2d(top, 2))
        x = self.down[2](functional.max_pool2d(middle, 2))
        x = self.up[0](torch.cat([functional.interpolate(x, scale_factor=2.0), middle], 1))
        x = self.up[1](torch.cat([functional.interpolate(x, scale_factor=2.0), top], 1))
        scores: torch.Tensor = self.head(x)
        return scores


def _double(incoming: int, outgoing: int) -> nn.Sequential:
    def one(channels: int) -> list[nn.Module]:
        convolution = nn.Conv2d(channels, outgoing, 3, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(outgoing), nn.ReLU()]

    return nn.Sequential(*one(incoming), *one(outgoing))
