"""Options of preprocessing and device, shared by the commands that run a model."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from onnxcert.cli.options.base import MODEL, RUNNING, option
from onnxcert.cli.options.parsing import (
    Numbers,
    parse_numbers,
    parse_overlap,
    parse_size,
    parse_tile,
)
from onnxcert.errors import ParameterError

if TYPE_CHECKING:
    from onnxcert.model.graph.file import ModelFile

_SECONDS: Final = 3.0  # after this time, tell the user what the program is doing


@dataclass(frozen=True)
class RunningOptions:
    """With the model, these options define how it runs."""

    title: ClassVar = MODEL

    scales: Numbers | None = option(
        "Multi-scale prediction: resize the noisy image by each factor and average the "
        "probabilities.",
        "S,S,...",
        parse=parse_numbers,
    )
    flip: bool = option(
        "Also predict on the mirrored noisy image and average the probabilities.",
        default=False,
        flag="--flip",
    )
    tile: tuple[int, int] | Literal["model"] | None = option(
        "Sliding window: split the noisy image into tiles of this size (model: the model's input "
        "size) and average scores where tiles overlap.",
        "HxW|model",
        parse=parse_tile,
    )
    overlap: tuple[int, int] | None = option(
        "Overlap of neighbouring tiles in pixels. Default: a third of the tile size.",
        "PIXELS|HxW",
        parse=parse_overlap,
    )
    scale: float = option("Resize the noisy image by this factor for the model.", default=1.0)
    size: tuple[int, int] | None = option(
        "Resize the noisy image to this height and width for the model.", "HxW", parse=parse_size
    )
    resize: bool = option(
        "Resize the noisy image to the only size that the model takes.",
        default=False,
        flag="--resize",
    )
    pad_to: int | None = option("Pad images until height and width are multiples of K.", "K")
    grid: str = option(
        "native: certify the pixels of the image; model: certify the cells of the model's output "
        "grid.",
        "native|model",
        "native",
    )
    fill: bool = option(
        "Repeat points of shapes that have fewer points than the model takes.",
        default=False,
        flag="--fill",
    )
    device: str = option(
        "Device: auto, cpu, cuda, cuda:1 or tensorrt.",
        "NAME",
        "auto",
        choices=("auto", "cpu", "cuda", "tensorrt"),
        section=RUNNING,
    )
    threads: int = option("Number of CPU threads; 0 for all cores.", default=0, section=RUNNING)
    batch_size: int | None = option("Draws per model pass. Default: measured.", section=RUNNING)

    def __post_init__(self) -> None:
        if self.batch_size is not None and not 1 <= self.batch_size <= 4096:
            raise ParameterError(f"--batch-size must be from 1 to 4096, got {self.batch_size}.")
        if not 0 <= self.threads <= 1024:
            raise ParameterError(
                f"--threads must be from 0 (all cores) to 1024, got {self.threads}."
            )


@contextmanager
def print_if_slow(
    text: str, *, after: float = _SECONDS, quiet: bool = False
) -> Iterator[threading.Timer]:
    """Print `text` to standard error if the block takes more than `after` seconds."""
    say = (lambda: None) if quiet else (lambda: print(text, file=sys.stderr, flush=True))
    timer = threading.Timer(after, say)
    timer.daemon = True
    timer.start()
    try:
        yield timer
    finally:
        timer.cancel()


def load_model(path: Path, *, quiet: bool = False) -> ModelFile:
    """Read the model at `path`; see `onnxcert.model.graph.file.read_model`."""
    from onnxcert.model.graph.file import read_model

    with print_if_slow(f"reading {path} and its weights ...", quiet=quiet):
        return read_model(path)
