"""Train the parts model from scratch and export it.

From a checkout: ``python -m models.parts.recipe --out models/parts/model.onnx --minutes 40``.
It generates its shapes, so it needs no data and no internet connection. ``--sigma 0 --rotation 0``
trains the same network without noise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .. import training
from .catalogue import CATEGORIES, CLASS_NAMES
from .network import PartsNet
from .noise import TrainingNoise, two_views
from .pool import batches, make_pool
from .shapes import POINTS

# Up to this share of the training, shapes have half of their points, so that steps are faster.
COARSE: Final = 0.5


def main() -> None:
    """Parse the command line, train and export."""
    parser = training.make_parser(__doc__, steps=7000, batch=16, inputs="shapes")
    parser.add_argument("--sigma", type=float, default=0.25, help="largest coordinate noise")
    parser.add_argument("--rotation", type=float, default=0.25, help="largest rotation noise")
    parser.add_argument("--channels", choices=("xyz", "xyz+normals"), default="xyz+normals")
    parser.add_argument("--shapes", type=int, default=10_000, help="training shapes to make")
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
    average = AveragedModel(network, avg_fn=_blend, use_buffers=True)

    def loss(done: float) -> Tensor:
        cloud, classes = next(stream)
        points = cloud.shape[2] // 2 if done < COARSE else cloud.shape[2]
        views = two_views(cloud[:, :inputs, :points], noise, rng)
        return training.consistency_loss(network, views, classes[:, :points])

    training.train(network, average, loss, options)
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


if __name__ == "__main__":
    main()
