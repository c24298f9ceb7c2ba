"""In-memory data set of generated shapes, and its batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .shapes import POINTS, make_shape


def make_pool(
    count: int, first_seed: int = 0, cache: Path | None = None
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Generate clouds [count, 6, N] (coordinates and normals) and labels [count, N].

    If `cache`, an .npz file, exists, they are read from it; otherwise they are written there.
    """
    if cache is not None and cache.exists():
        with np.load(cache) as stored:
            return stored["clouds"], stored["labels"]
    start = time.monotonic()
    clouds = np.empty((count, 6, POINTS), np.float32)
    labels = np.empty((count, POINTS), np.uint8)
    for index in range(count):
        shape = make_shape(first_seed + index)
        clouds[index, :3], clouds[index, 3:] = shape.points.T, shape.normals.T
        labels[index] = shape.labels
        if (index + 1) % 2000 == 0:
            rate = (index + 1) / (time.monotonic() - start)
            print(f"made {index + 1}/{count} shapes, {rate:.0f}/s", flush=True)
    if cache is not None:
        np.savez(cache, clouds=clouds, labels=labels)
    return clouds, labels


def batches(
    clouds: NDArray[np.float32], labels: NDArray[np.uint8], size: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches without end: clouds float32 [size, 6, N] and labels int64 [size, N]."""
    while True:
        order = rng.permutation(len(clouds))
        for start in range(0, len(order) - size + 1, size):
            chosen = np.sort(order[start : start + size])
            yield torch.from_numpy(clouds[chosen]), torch.from_numpy(labels[chosen]).long()
