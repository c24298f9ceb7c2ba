"""What is measured: a grid of models, sizes, classes, draws and batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from onnxcert.model.running.batching import guess_batch_size

SIZES = ((240, 180), (512, 256), (1024, 2048))
CLASSES = (2, 11, 19, 150)
BATCHES = (1, 8)


@dataclass(frozen=True)
class Cell:
    """One comparison: everybody runs this.

    Attributes:
        model: `unet` or `light`.
        height, width: of the picture, in pixels.
        classes: of the model.
        n: forward passes.
        batch: pictures a pass.
        threads: of ONNX Runtime inside an operator, and of PyTorch.
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
        """Bytes of all labels in int64, which the reference design keeps."""
        return 8 * self.n * self.components

    def passes(self) -> Iterator[int]:
        """Pictures of each pass."""
        yield from (self.batch,) * (self.n // self.batch)
        if self.n % self.batch:
            yield self.n % self.batch

    def described(self) -> str:
        return (
            f"{self.model} {self.height}x{self.width}, {self.classes} classes, n {self.n}, "
            f"batch {self.batch}"
        )


def small(threads: int, device: str) -> list[Cell]:
    """A subset that takes minutes; the cells of the goals come first."""
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
    """One cell of seconds, to see that everything works."""
    return [_cell("light", 24, 32, 2, 30, 4, threads, device)]


def full(threads: int, device: str) -> list[Cell]:
    """Every combination, each size with its default batch, the smaller ones with others too."""
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
    """A cell; batch 0 is what onnxcert takes where there is no time to try."""
    batch = batch or guess_batch_size(3 * height * width)
    return Cell(model, height, width, classes, n, batch, threads, device)
