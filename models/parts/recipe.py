"""Train the parts model from scratch and export it.

From a checkout: ``python -m models.parts.recipe --out models/parts/model.onnx --minutes 40``.
It generates its shapes, so it needs no data and no internet connection. ``--sigma 0 --rotation 0``
trains the same network without noise.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from .catalogue import CATEGORIES, CLASS_NAMES
from .network import PartsNet
from .noise import TrainingNoise, two_views
from .pool import batches, make_pool
from .shapes import POINTS

# Up to this share of the training, shapes have half of their points, so that steps are faster.
COARSE: Final = 0.5


def main() -> None:
    """Parse the command line, train and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--steps", type=int, default=7000, help="training steps")
    parser.add_argument("--minutes", type=float, help="train for this long instead of --steps")
    parser.add_argument("--sigma", type=float, default=0.25, help="largest coordinate noise")
    parser.add_argument("--rotation", type=float, default=0.25, help="largest rotation noise")
    parser.add_argument("--channels", choices=("xyz", "xyz+normals"), default="xyz+normals")
    parser.add_argument("--shapes", type=int, default=10_000, help="training shapes to make")
    parser.add_argument("--cache", type=Path, help=".npz file that caches the shapes")
    parser.add_argument("--batch", type=int, default=16, help="shapes per step; each is used twice")
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    _import_exporter()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    noise = TrainingNoise(sigma=options.sigma, rotation=options.rotation)
    inputs = 3 if options.channels == "xyz" else 6
    clouds, labels = make_pool(options.shapes, cache=options.cache)
    stream = batches(clouds, labels, options.batch, rng)
    network = PartsNet(len(CLASS_NAMES), inputs)
    print(f"{sum(p.numel() for p in network.parameters())} parameters", flush=True)
    average = AveragedModel(network, avg_fn=_blend, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=0.02)

    start, step, done, smooth = time.monotonic(), 0, 0.0, math.nan
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = options.rate * _schedule(done)
        cloud, classes = next(stream)
        points = cloud.shape[2] // 2 if done < COARSE else cloud.shape[2]
        views = two_views(cloud[:, :inputs, :points], noise, rng)
        loss = _loss(network, views, classes[:, :points].repeat(2, 1))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(network)

        step += 1
        spent = time.monotonic() - start
        done = spent / (60 * options.minutes) if options.minutes else step / options.steps
        value = float(loss.detach())
        smooth = value if math.isnan(smooth) else 0.97 * smooth + 0.03 * value
        if step % 50 == 0:
            left = spent * (1 / done - 1)
            print(
                f"step {step}  loss {smooth:.4f}  {step / spent:.2f} steps/s  "
                f"{100 * done:.0f} %  {left / 60:.1f} min left",
                flush=True,
            )
        if step % 500 == 0:
            torch.save(average.module.state_dict(), options.out.with_suffix(".pt"))
    torch.save(average.module.state_dict(), options.out.with_suffix(".pt"))
    write_model(average.module, options.out, options.channels, noise)


def _import_exporter() -> Callable[..., Path]:
    """Import the exporter; called before training, so that a missing one fails early."""
    # This name exists once the checkout is installed; a type checker sees only the folders.
    from onnxcert.converters.points import (  # type: ignore[import-not-found,unused-ignore]
        export_points,
    )

    return export_points  # type: ignore[no-any-return,unused-ignore]


def write_model(network: nn.Module, path: Path, channels: str, noise: TrainingNoise) -> Path:
    """Export a trained network to `path` with its contract.

    The contract names noise levels that certify well, not the largest ones in training.
    """
    written: Path = _import_exporter()(
        network,
        path,
        points=POINTS,
        class_names=CLASS_NAMES,
        channels=channels,
        categories=CATEGORIES,
        output_layout="BCN",
        trained_sigma=min(noise.usual_sigma, noise.sigma) or None,
        trained_rotation=noise.rotation / 2 or None,
    )
    return written


def _blend(average: Tensor, current: Tensor, seen: Tensor | int) -> Tensor:
    """Return the running average of the weights over about 500 steps, fewer at the start."""
    return average + (current - average) * max(0.002, 1 / (0.2 * float(seen) + 1))


def _schedule(done: float) -> float:
    """Return the learning rate as a share of the highest: short warm-up, then cosine decay to 0."""
    return min(done / 0.03 + 0.02, 1.0) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _loss(network: nn.Module, views: Tensor, classes: Tensor) -> Tensor:
    """Return the cross entropy plus the disagreement of the two noisy views of a shape.

    The second term is the consistency loss of Jeong and Shin (2020): a point is certified only if
    nearly all noisy predictions agree.
    """
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(views)
    scores = functional.log_softmax(logits.float(), 1)
    first, second = scores.chunk(2)
    with torch.no_grad():
        middle = (first.exp() + second.exp()) / 2
    disagreement = -(middle * (first + second)).sum(1).mean() / 2
    entropy = -(middle * middle.clamp_min(1e-6).log()).sum(1).mean()
    return functional.nll_loss(scores, classes) + (disagreement - entropy)


if __name__ == "__main__":
    main()
