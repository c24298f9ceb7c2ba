"""Measured cells: a grid of models, sizes, classes, draws and batch sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from onnxcert.model.tuning.batch_size import guess_batch_size

SIZES = ((240, 180), (512, 256), (1024, 2048))
CLASSES = (2, 11, 19, 150)
BATCHES = (1, 8)


@dataclass(frozen=True)
class Cell:
    """One comparison; all programs run it.

    Attributes:
        model: `unet` or `light`.
        height: height of the image in pixels.
        width: width of the image in pixels.
        classes: number of classes.
        n: number of forward passes.
        batch: batch size.
        threads: intra-operator threads of ONNX Runtime, and threads of PyTorch.
        device: `cpu` or `cuda`.
    """

    model: str
    height: int
    width: int
    classes: int
    n: int
    batch: int
    threads: int
    device: str

    @property
    def components(self) -> int:
        return self.height * self.width

    @property
    def kept(self) -> int:
        """Bytes of all labels in int64, which the reference design stores."""
        return 8 * self.n * self.components

    def passes(self) -> Iterator[int]:
        """Yield the batch size of each pass."""
        yield from (self.batch,) * (self.n // self.batch)
        if self.n % self.batch:
            yield self.n % self.batch

    def describe(self) -> str:
        return (
            f"{self.model} {self.height}x{self.width}, {self.classes} classes, n {self.n}, "
            f"batch {self.batch}"
        )


def small(threads: int, device: str) -> list[Cell]:
    """Return a subset that takes minutes; the cells with speed goals come first."""
    rows = [
        ("unet", 512, 256, 19, 100, 0),
        ("light", 512, 256, 19, 100, 0),
        ("unet", 240, 180, 11, 100, 0),
        ("light", 240, 180, 11, 100, 0),
        ("light", 240, 180, 11, 100, 1),
        ("light", 240, 180, 2, 1000, 0),
        ("light", 512, 256, 2, 100, 0),
        ("light", 512, 256, 150, 100, 0),
        ("light", 1024, 2048, 19, 100, 0),
    ]
    return [_cell(*row, threads, device) for row in rows]


def tiny(threads: int, device: str) -> list[Cell]:
    """Return one cell that takes seconds, to test the benchmark itself."""
    return [_cell("light", 24, 32, 2, 30, 4, threads, device)]


def full(threads: int, device: str) -> list[Cell]:
    """Return every combination with the default batch size; for smaller images, also others."""
    found: dict[Cell, None] = {}
    for model, size, classes, n in product(("light", "unet"), SIZES, CLASSES, (100, 1000)):
        cell = _cell(model, *size, classes, n, 0, threads, device)
        batches = BATCHES if size != SIZES[-1] and n == 100 else ()
        found |= dict.fromkeys((cell, *(replace(cell, batch=batch) for batch in batches)))
    return list(found)


def _cell(
    model: str,
    height: int,
    width: int,
    classes: int,
    n: int,
    batch: int,
    threads: int,
    device: str,
) -> Cell:
    """Return a cell; batch 0 is the batch size of onnxcert without autotuning."""
    batch = batch or guess_batch_size(3 * height * width)
    return Cell(model, height, width, classes, n, batch, threads, device)
