"""In-memory data set of ShapeNet's part benchmark, and its batches.

Yi et al., A scalable active framework for region annotation in 3D shape collections, 2016.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onnxcert.data.points import SHAPENET_PARTS, list_shapenet_part, read_cloud_item

# Name of each category and its part classes, in the order of the one-hot input.
CATEGORIES: Final = tuple(SHAPENET_PARTS.items())


@final
@dataclass(frozen=True, eq=False)
class Shapes:
    """Concatenated points of many shapes.

    Attributes:
        values: coordinates in each shape's unit sphere, and normals; float32 [total, 6].
        labels: part class of each point; int64 [total].
        ends: end of each shape in `values` and `labels`; int64 [shapes].
        categories: category of each shape; int64 [shapes].
    """

    values: NDArray[np.float32]
    labels: NDArray[np.int64]
    ends: NDArray[np.int64]
    categories: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    def sample(
        self, shape: int, points: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return `points` random points of a shape; points repeat only if it has fewer."""
        start, end = self.ends[shape - 1] if shape else 0, self.ends[shape]
        many = int(end - start)
        whole, rest = divmod(points, many)
        rows = np.concatenate(
            [np.tile(np.arange(many), whole), rng.choice(many, rest, replace=False)]
        )
        rows = start + rng.permutation(rows)
        return self.values[rows], self.labels[rows]


def load(root: Path, splits: tuple[str, ...], cache: Path | None = None) -> Shapes:
    """Load all shapes of the given splits, e.g. ``("train", "val")``.

    Reading the full benchmark takes minutes; a `cache` (an .npz file) makes it a one-time cost.

    Raises:
        InputError: `root` does not hold the benchmark, or one of its files is damaged.
    """
    if cache is not None and cache.exists():
        with np.load(cache) as stored:
            return Shapes(*(stored[name] for name in ("values", "labels", "ends", "categories")))
    start = time.monotonic()
    order = [name for name, _ in CATEGORIES]
    items = [
        item for split in splits for item in list_shapenet_part([str(root / split)], None).items
    ]
    values, labels, categories = [], [], []
    for done, item in enumerate(items, 1):
        cloud = read_cloud_item(
            item, columns="xyz,normals,label", frame="unit-sphere", points=None, fill=False
        )
        assert cloud.normals is not None
        assert cloud.labels is not None
        values.append(np.hstack([cloud.points, cloud.normals]))
        labels.append(cloud.labels.astype(np.int64))
        categories.append(order.index(item.category))
        if done % 500 == 0:
            rate = done / (time.monotonic() - start)
            print(f"read {done}/{len(items)} shapes, {rate:.0f}/s", flush=True)
    ends = np.cumsum([len(each) for each in labels])
    shapes = Shapes(np.concatenate(values), np.concatenate(labels), ends, np.array(categories))
    if cache is not None:
        np.savez(cache, **vars(shapes))
    return shapes


def batches(
    shapes: Shapes, size: int, points: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield each shape once, in random order; an incomplete last batch is dropped.

    Yields:
        Points float32 [size, 6, points], one-hot categories float32 [size, 16] and classes int64
        [size, points].
    """
    order = rng.permutation(len(shapes))
    size = min(size, len(shapes))
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start : start + size]
        values, labels = zip(*(shapes.sample(i, points, rng) for i in chosen), strict=True)
        yield (
            torch.from_numpy(np.stack(values)).transpose(1, 2).contiguous(),
            torch.eye(len(CATEGORIES))[shapes.categories[chosen]],
            torch.from_numpy(np.stack(labels)),
        )
