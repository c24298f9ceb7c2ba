"""Train PointNet++ on ShapeNet's part benchmark and export it.

From a checkout: ``python -m models.pointnet2.recipe --data FOLDER --out FILE.onnx --sigma 0.25``,
for coordinate noise, or with ``--rotation 0.25`` for rotations.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import nn

from onnxcert.data.points import SHAPENET_PART_NAMES

from .dataset import CATEGORIES, load
from .network import FULL, SMALL, PointNet2
from .noise import Noise
from .sampling import FARTHEST_POINTS
from .training import Settings, train

SIZES: Final = {"full": FULL, "small": SMALL}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train and export."""
    options = _parser().parse_args(arguments)
    _import_exporter()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    # Rotations turn about the centre of the unit sphere; scaling and shifting would leave it.
    scale, shift = (1.25, 0.1) if options.rotation == 0 else (1.0, 0.0)
    settings = Settings(
        epochs=options.epochs,
        batch=options.batch,
        points=options.points,
        normals=options.normals,
        optimizer=options.optimizer,
        rate=options.rate,
        noise=Noise(
            drop=options.drop,
            scale=scale if options.scale is None else options.scale,
            shift=shift if options.shift is None else options.shift,
            rotation=options.rotation,
            sigma=options.sigma,
        ),
        seed=options.seed,
        device=options.device or ("cuda" if torch.cuda.is_available() else "cpu"),
    )
    checkpoint = options.out.with_suffix(".pt")
    if checkpoint.exists() and not options.resume:
        raise SystemExit(f"{checkpoint} exists; pass --resume to resume from it, or remove it.")
    network = PointNet2(features=3 if options.normals else 0, sizes=SIZES[options.size])
    print(f"{sum(p.numel() for p in network.parameters())} parameters", flush=True)
    train(
        network,
        load(options.data, ("train", "val"), options.cache),
        settings,
        checkpoint=checkpoint,
        held_out=load(options.data, ("test",)) if options.test else None,
        log=lambda line: print(line, flush=True),
    )
    write_model(
        network.cpu(),
        options.out,
        points=options.points,
        normals=options.normals,
        sigma=options.sigma,
        rotation=options.rotation,
    )


def _import_exporter() -> Callable[..., Path]:
    """Import the exporter; called before training, so that a missing one fails early."""
    # This name exists once the checkout is installed; a type checker sees only the folders.
    from onnxcert.converters.points import (  # type: ignore[import-not-found,unused-ignore]
        export_points,
    )

    return export_points  # type: ignore[no-any-return,unused-ignore]


def write_model(
    network: nn.Module,
    path: Path,
    *,
    points: int = 2048,
    normals: bool = True,
    sigma: float = 0.0,
    rotation: float = 0.0,
) -> Path:
    """Export a trained network to `path` with its contract."""
    written: Path = _import_exporter()(
        network,
        path,
        points=points,
        channels="xyz+normals" if normals else "xyz",
        class_names=SHAPENET_PART_NAMES,
        categories=CATEGORIES,
        category_input="label",
        trained_sigma=sigma or None,
        trained_rotation=rotation or None,
        functions=[FARTHEST_POINTS],
    )
    return written


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with synsetoffset2category.txt")
    add("--out", type=Path, required=True, help="ONNX file to write; the checkpoint is beside it")
    add("--cache", type=Path, help=".npz file that caches the shapes")
    add("--resume", action="store_true", help="resume from the checkpoint beside --out")
    add("--test", action="store_true", help="print the accuracy on the test split at every epoch")
    add("--size", choices=SIZES, default="full")
    add("--epochs", type=int, default=251)
    add("--batch", type=int, default=16)
    add("--points", type=int, default=2048)
    add("--normals", action=argparse.BooleanOptionalAction, default=True)
    add("--sigma", type=float, default=0.0, help="Gaussian noise on the coordinates")
    add("--rotation", type=float, default=0.0, help="rotation noise, in radians")
    add("--scale", type=float, help="largest factor of size; 1.25, or 1 with --rotation")
    add("--shift", type=float, help="largest shift along an axis; 0.1, or 0 with --rotation")
    add("--drop", type=float, default=0.0, help="largest share of dropped points")
    add("--optimizer", choices=("adam", "sgd"), default="adam")
    add("--rate", type=float, default=1e-3, help="first learning rate")
    add("--device", help="cuda or cpu; by default cuda if available")
    add("--threads", type=int, default=1)
    add("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    main()
