"""Train the street model from scratch and export it.

From a checkout: ``python -m models.street.recipe --out models/street/model.onnx --minutes 36``.
It draws its own scenes, so it needs no data and no network.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .network import StreetNet
from .palette import CLASS_NAMES
from .pool import batches, draw_pool

SIGMA: Final = 0.25
MEAN: Final = (0.45, 0.45, 0.45)
STD: Final = (0.35, 0.35, 0.35)  # of a noisy image: 0.25 of the image and 0.25 of the noise


def main() -> None:
    """Parse the command line, train and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--steps", type=int, default=5000, help="training steps")
    parser.add_argument("--minutes", type=float, help="train for this long instead of --steps")
    parser.add_argument("--scenes", type=int, default=3600, help="training scenes to draw")
    parser.add_argument("--cache", type=Path, help=".npz file that caches the scenes")
    parser.add_argument("--batch", type=int, default=8, help="scenes per step; each is used twice")
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    pixels, labels = draw_pool(options.scenes, cache=options.cache)
    stream = batches(pixels, labels, options.batch, options.seed)
    network = StreetNet(len(CLASS_NAMES))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    print(f"{sum(p.numel() for p in network.parameters())} parameters", flush=True)
    blend = get_ema_multi_avg_fn(0.998)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=blend, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=0.02)

    start, step, done, smooth = time.monotonic(), 0, 0.0, math.nan
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = options.rate * _schedule(done)
        image, classes = next(stream)
        loss = _loss(network, normalise(_add_noise_twice(image)), classes.repeat(2, 1, 1))
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
    write_model(average.module, options.out)


def normalise(image: Tensor) -> Tensor:
    """Normalise as the exported graph does."""
    return (image - MEAN[0]) / STD[0]


def write_model(network: nn.Module, path: Path) -> Path:
    """Export a trained network to `path` with its contract."""
    # This name exists once the checkout is installed; a type checker sees only the folders.
    from onnxcert.converters.pytorch import export  # type: ignore[import-not-found,unused-ignore]

    written: Path = export(
        network,
        path,
        example_size=(160, 256),
        mean=MEAN,
        std=STD,
        class_names=CLASS_NAMES,
        trained_sigma=SIGMA,
    )
    return written


def _schedule(done: float) -> float:
    """Return the learning rate as a share of the highest: short warm-up, then cosine decay to 0."""
    return min(done / 0.03 + 0.02, 1.0) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _add_noise_twice(image: Tensor) -> Tensor:
    """Return each image twice, [2 B, 3, H, W], with independent Gaussian noise, not clipped.

    One step in ten uses less noise than SIGMA, so that the network also learns clean images.
    """
    sigma = SIGMA * float(torch.rand(())) if float(torch.rand(())) < 0.1 else SIGMA
    twice = image.repeat(2, 1, 1, 1)
    noisy = twice + sigma * torch.randn(twice.shape)
    return noisy.contiguous(memory_format=torch.channels_last)


def _loss(network: nn.Module, noisy: Tensor, classes: Tensor) -> Tensor:
    """Return the cross entropy plus the disagreement of the two noisy views of an image.

    The second term is the consistency loss of Jeong and Shin (2020): a pixel is certified only if
    nearly all noisy predictions agree.
    """
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(noisy)
    scores = functional.log_softmax(logits.float(), 1)
    first, second = scores.chunk(2)
    with torch.no_grad():
        middle = (first.exp() + second.exp()) / 2
    disagreement = -(middle * (first + second)).sum(1).mean() / 2
    entropy = -(middle * middle.clamp_min(1e-6).log()).sum(1).mean()
    return functional.nll_loss(scores, classes) + (disagreement - entropy)


if __name__ == "__main__":
    main()
