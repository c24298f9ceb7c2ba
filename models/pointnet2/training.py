"""Training of a network on shapes, with checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .dataset import Shapes, batches
from .noise import Noise

# Schedule of PointNet++: learning rate and momentum halve every 20 epochs, down to these values.
HALVING: Final = 20
LOWEST_RATE: Final = 1e-5
LOWEST_MOMENTUM: Final = 0.01


@final
@dataclass(frozen=True)
class Settings:
    """Training settings.

    Attributes:
        epochs: number of epochs.
        batch: shapes per step.
        points: points per shape, sampled anew in each epoch.
        normals: whether the network takes normals.
        optimizer: `adam`, or `sgd` with momentum 0.9.
        rate: initial learning rate.
        noise: augmentation and noise.
        seed: seed of order, points, noise and dropout.
        device: PyTorch device.
    """

    epochs: int = 251
    batch: int = 16
    points: int = 2048
    normals: bool = True
    optimizer: Literal["adam", "sgd"] = "adam"
    rate: float = 1e-3
    noise: Noise = field(default_factory=Noise)
    seed: int = 0
    device: str = "cpu"


def train(
    network: nn.Module,
    shapes: Shapes,
    settings: Settings,
    *,
    checkpoint: Path | None = None,
    held_out: Shapes | None = None,
    log: Callable[[str], None] = print,
) -> list[float]:
    """Train `network` in place and return the mean loss of each epoch.

    Each epoch has its own random generator, so that training resumed from a checkpoint gives the
    same weights as training without a stop.

    Args:
        network: maps points and one-hot categories to log-probabilities.
        shapes: training shapes.
        settings: training settings.
        checkpoint: file to resume from if it exists; written after each epoch.
        held_out: shapes whose accuracy under the same noise is reported after each epoch.
        log: called with each line of progress.
    """
    network.to(settings.device)
    optimizer = _optimizer(network, settings)
    losses: list[float] = []
    if checkpoint is not None and checkpoint.exists():
        held = torch.load(checkpoint, map_location=settings.device, weights_only=True)
        network.load_state_dict(held["network"])
        optimizer.load_state_dict(held["optimizer"])
        losses = held["losses"]
        log(f"resumes from {checkpoint} after epoch {len(losses)}")
    start, first = time.monotonic(), len(losses)
    for epoch in range(first, settings.epochs):
        losses.append(_epoch(network, optimizer, shapes, settings, epoch, (start, first), log))
        if checkpoint is not None:
            _save_checkpoint(checkpoint, network, optimizer, losses)
        if held_out is not None:
            log(f"epoch {epoch + 1}  accuracy {accuracy(network, held_out, settings):.4f} held out")
    return losses


def accuracy(network: nn.Module, shapes: Shapes, settings: Settings) -> float:
    """Return the point accuracy of one noisy pass over `shapes`."""
    network.eval()
    right = total = 0
    with torch.no_grad():
        _seed(settings.seed, 0)
        for batch in batches(shapes, settings.batch, settings.points, np.random.default_rng(0)):
            points, label, classes = _to_device(batch, settings)
            right += int((network(points, label).argmax(2) == classes).sum())
            total += classes.numel()
    return right / total


def _epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    shapes: Shapes,
    settings: Settings,
    epoch: int,
    start_state: tuple[float, int],
    log: Callable[[str], None],
) -> float:
    network.train()
    factor = 0.5 ** (epoch // HALVING)
    for group in optimizer.param_groups:
        group["lr"] = max(settings.rate * factor, min(LOWEST_RATE, settings.rate))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.momentum = max(0.1 * factor, LOWEST_MOMENTUM)
    _seed(settings.seed, epoch + 1)
    rng = np.random.default_rng([settings.seed, epoch])
    steps = max(1, len(shapes) // settings.batch)
    start, first = start_state
    total, logged = 0.0, time.monotonic()
    for step, batch in enumerate(batches(shapes, settings.batch, settings.points, rng), 1):
        points, label, classes = _to_device(batch, settings)
        loss = functional.nll_loss(network(points, label).transpose(1, 2), classes)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += float(loss.detach())
        now = time.monotonic()
        if now - logged > 10 or step == steps:
            done = (epoch - first) * steps + step
            rate = done / (now - start)
            left = ((settings.epochs - first) * steps - done) / rate
            logged = now
            log(
                f"epoch {epoch + 1}/{settings.epochs}  step {step}/{steps}  "
                f"loss {total / step:.4f}  {rate * len(points):.1f} shapes/s  "
                f"{left / 60:.1f} min left"
            )
    return total / steps


def _to_device(
    batch: tuple[Tensor, Tensor, Tensor], settings: Settings
) -> tuple[Tensor, Tensor, Tensor]:
    points, label, classes = (each.to(settings.device) for each in batch)
    return settings.noise(points if settings.normals else points[:, :3]), label, classes


def _optimizer(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), settings.rate, 0.9, weight_decay=1e-4)
    return torch.optim.Adam(network.parameters(), settings.rate, weight_decay=1e-4)


def _seed(seed: int, epoch: int) -> None:
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


def _save_checkpoint(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, losses: list[float]
) -> None:
    """Write the checkpoint; an interruption at any time leaves the previous one intact."""
    draft = path.with_suffix(".partial")
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "losses": losses}
    torch.save(state, draft)
    draft.replace(path)
