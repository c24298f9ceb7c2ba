"""In-memory data set of drawn scenes, and its batches."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .scenes import draw_scene


def draw_pool(
    count: int, first_seed: int = 0, cache: Path | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the scenes from `first_seed` on: pixels [count, H, W, 3] and labels [count, H, W].

    If `cache`, an .npz file, exists, they are read from it; otherwise they are written there.
    """
    if cache is not None and cache.exists():
        with np.load(cache) as stored:
            return stored["pixels"], stored["labels"]
    start = time.monotonic()
    pixels, labels = [], []
    with multiprocessing.get_context("spawn").Pool() as workers:
        seeds = range(first_seed, first_seed + count)
        for done, (image, classes) in enumerate(workers.imap(draw_scene, seeds, 8), 1):
            pixels.append(image)
            labels.append(classes)
            if done % 200 == 0:
                rate = done / (time.monotonic() - start)
                print(f"drawn {done}/{count} scenes, {rate:.1f}/s", flush=True)
    pool = np.stack(pixels), np.stack(labels)
    if cache is not None:
        np.savez(cache, pixels=pool[0], labels=pool[1])
    return pool


def batches(
    pixels: NDArray[np.uint8], labels: NDArray[np.uint8], size: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches without end: images float32 [size, 3, H, W], labels int64 [size, H, W].

    Values are in about [0, 1]. Half of the images are mirrored; exposure, contrast and colour
    balance vary.
    """
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(pixels))
        for start in range(0, len(order) - size + 1, size):
            chosen = np.sort(order[start : start + size])
            image = pixels[chosen].astype(np.float32) / 255
            classes = labels[chosen].astype(np.int64)
            for i in np.flatnonzero(rng.random(size) < 0.5):
                image[i], classes[i] = image[i, :, ::-1].copy(), classes[i, :, ::-1].copy()
            gain = rng.uniform(0.8, 1.2, (size, 1, 1, 1)) * rng.uniform(0.93, 1.07, (size, 1, 1, 3))
            shift = rng.uniform(-0.07, 0.07, (size, 1, 1, 1))
            image = np.clip((image - 0.45) * gain + 0.45 + shift, 0, 1).astype(np.float32)
            yield torch.from_numpy(image).permute(0, 3, 1, 2), torch.from_numpy(classes)
