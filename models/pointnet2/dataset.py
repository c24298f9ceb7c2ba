"""Shapes of ShapeNet's part benchmark in memory, and the batches made of them.

Yi et al., A scalable active framework for region annotation in 3D shape collections, 2016.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_COUNTS: Final = {
    "Airplane": 4, "Bag": 2, "Cap": 2, "Car": 4, "Chair": 4, "Earphone": 3, "Guitar": 3,
    "Knife": 2, "Lamp": 4, "Laptop": 2, "Motorbike": 6, "Mug": 2, "Pistol": 3, "Rocket": 3,
    "Skateboard": 3, "Table": 3,
}  # fmt: skip
_ENDS: Final = np.cumsum(list(_COUNTS.values())).tolist()
# Name of each category and its part classes, in the order of the one-hot input.
CATEGORIES: Final = tuple(
    (name, tuple(range(end - count, end)))
    for (name, count), end in zip(_COUNTS.items(), _ENDS, strict=True)
)
CLASS_NAMES: Final = tuple(f"{name}-{i}" for name, parts in CATEGORIES for i in range(len(parts)))


@final
@dataclass(frozen=True, eq=False)
class Shapes:
    """Many shapes, point after point.

    Attributes:
        values: coordinates in each shape's unit sphere and normals; float32 [total, 6].
        labels: part class of each point; int64 [total].
        ends: where each shape ends in these; int64 [shapes].
        categories: of each shape; int64 [shapes].
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
        """So many of a shape's points at random, repeated only where it has fewer."""
        start, end = self.ends[shape - 1] if shape else 0, self.ends[shape]
        many = int(end - start)
        whole, rest = divmod(points, many)
        rows = np.concatenate(
            [np.tile(np.arange(many), whole), rng.choice(many, rest, replace=False)]
        )
        rows = start + rng.permutation(rows)
        return self.values[rows], self.labels[rows]


def load(root: Path, splits: tuple[str, ...], cache: Path | None = None) -> Shapes:
    """All shapes of the splits named, e.g. ``("train", "val")``.

    The full benchmark takes minutes to read; with a `cache`, an .npz file, only once.
    """
    if cache is not None and cache.exists():
        with np.load(cache) as stored:
            return Shapes(*(stored[name] for name in ("values", "labels", "ends", "categories")))
    start = time.monotonic()
    order = [name for name, _ in CATEGORIES]
    table = (root / "synsetoffset2category.txt").read_text().split()
    pairs = zip(table[::2], table[1::2], strict=True)
    category_of = {synset: order.index(name) for name, synset in pairs}
    values, labels, categories = [], [], []
    entries = [entry for split in splits for entry in _entries(root, split)]
    for done, (synset, name) in enumerate(entries, 1):
        read = np.loadtxt(root / synset / f"{name}.txt", dtype=np.float64, ndmin=2)
        values.append(np.hstack([_in_unit_sphere(read[:, :3]), read[:, 3:6]]).astype(np.float32))
        labels.append(read[:, 6].astype(np.int64))
        categories.append(category_of[synset])
        if done % 500 == 0:
            rate = done / (time.monotonic() - start)
            print(f"read {done}/{len(entries)} shapes, {rate:.0f}/s", flush=True)
    ends = np.cumsum([len(each) for each in labels])
    shapes = Shapes(np.concatenate(values), np.concatenate(labels), ends, np.array(categories))
    if cache is not None:
        np.savez(cache, **vars(shapes))
    return shapes


def batches(
    shapes: Shapes, size: int, points: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Each shape once, in random order; the last ones that make no whole batch are left out.

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


def _entries(root: Path, split: str) -> list[tuple[str, str]]:
    """(synset, name) of each shape, from entries ``shape_data/03001627/1a2b``."""
    listed = json.loads(
        (root / "train_test_split" / f"shuffled_{split}_file_list.json").read_text()
    )
    return [(synset, name) for _, synset, name in (entry.split("/") for entry in listed)]


def _in_unit_sphere(points: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = points - points.mean(0)
    inside: NDArray[np.float64] = centred / np.linalg.norm(centred, axis=1).max()
    return inside
