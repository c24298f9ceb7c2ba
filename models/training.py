"""Training of the bundled models: options of the recipes, the loop, and the loss of two views."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel


def make_parser(
    description: str | None, *, steps: int, batch: int, inputs: str
) -> argparse.ArgumentParser:
    """Return a parser with the options that every recipe has; `inputs` names what is trained on."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    options.add_argument("--steps", type=int, default=steps, help="training steps")
    options.add_argument("--minutes", type=float, help="train for this long instead of --steps")
    options.add_argument("--cache", type=Path, help=f".npz file that caches the {inputs}")
    options.add_argument(
        "--batch", type=int, default=batch, help=f"{inputs} per step; each is used twice"
    )
    options.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--seed", type=int, default=0)
    return options


def train(
    network: nn.Module,
    average: AveragedModel,
    loss: Callable[[float], Tensor],
    options: argparse.Namespace,
) -> None:
    """Train `network` and keep the running average of its weights, also beside `options.out`.

    Args:
        network: trained in place.
        average: average of its weights.
        loss: loss of the next batch, given the share of the training that is done.
        options: options of `make_parser`.
    """
    print(f"{sum(p.numel() for p in network.parameters())} parameters", flush=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=0.02)
    start, step, done, smooth = time.monotonic(), 0, 0.0, math.nan
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = options.rate * _schedule(done)
        current = loss(done)
        optimizer.zero_grad()
        current.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(network)

        step += 1
        spent = time.monotonic() - start
        done = spent / (60 * options.minutes) if options.minutes else step / options.steps
        value = float(current.detach())
        smooth = value if math.isnan(smooth) else 0.97 * smooth + 0.03 * value
        if step % 50 == 0:
            left = spent * (1 / done - 1)
            print(
                f"step {step}  loss {smooth:.4f}  {step / spent:.2f} steps/s  "
                f"{100 * done:.0f} %  {left / 60:.1f} min left",
                flush=True,
            )
        if step % 500 == 0 or done >= 1:
            torch.save(average.module.state_dict(), options.out.with_suffix(".pt"))


def _schedule(done: float) -> float:
    """Return the learning rate as a share of the highest: short warm-up, then cosine decay to 0."""
    return min(done / 0.03 + 0.02, 1.0) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def consistency_loss(network: nn.Module, views: Tensor, classes: Tensor) -> Tensor:
    """Return the cross entropy plus the disagreement of the two noisy views of each input.

    The second term is the consistency loss of Jeong and Shin (2020): a component is certified only
    if nearly all noisy predictions agree.

    Args:
        network: maps `views` to logits [2 B, classes, ...].
        views: [2 B, ...], the first view of each input before the second one of any.
        classes: int64 [B, ...].
    """
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(views)
    scores = functional.log_softmax(logits.float(), 1)
    first, second = scores.chunk(2)
    with torch.no_grad():
        middle = (first.exp() + second.exp()) / 2
    disagreement = -(middle * (first + second)).sum(1).mean() / 2
    entropy = -(middle * middle.clamp_min(1e-6).log()).sum(1).mean()
    return functional.nll_loss(scores, torch.cat([classes, classes])) + (disagreement - entropy)
