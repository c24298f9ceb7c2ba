"""Train the street model from scratch and export it.

From a checkout: ``python -m models.street.recipe --out models/street/model.onnx --minutes 36``.
It draws its own scenes, so it needs no data and no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .. import training
from .network import StreetNet
from .palette import CLASS_NAMES
from .pool import batches, draw_pool

SIGMA: Final = 0.25
MEAN: Final = (0.45, 0.45, 0.45)
STD: Final = (0.35, 0.35, 0.35)  # of a noisy image: 0.25 of the image and 0.25 of the noise


def main() -> None:
    """Parse the command line, train and export."""
    parser = training.make_parser(__doc__, steps=5000, batch=8, inputs="scenes")
    parser.add_argument("--scenes", type=int, default=3600, help="training scenes to draw")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    pixels, labels = draw_pool(options.scenes, cache=options.cache)
    stream = batches(pixels, labels, options.batch, options.seed)
    network = StreetNet(len(CLASS_NAMES))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    blend = get_ema_multi_avg_fn(0.998)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=blend, use_buffers=True)

    def loss(_: float) -> Tensor:
        image, classes = next(stream)
        views = normalise(_add_noise_twice(image))
        return training.consistency_loss(network, views, classes)

    training.train(network, average, loss, options)
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


def _add_noise_twice(image: Tensor) -> Tensor:
    """Return each image twice, [2 B, 3, H, W], with independent Gaussian noise, not clipped.

    One step in ten uses less noise than SIGMA, so that the network also learns clean images.
    """
    sigma = SIGMA * float(torch.rand(())) if float(torch.rand(())) < 0.1 else SIGMA
    twice = image.repeat(2, 1, 1, 1)
    noisy = twice + sigma * torch.randn(twice.shape)
    return noisy.contiguous(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
