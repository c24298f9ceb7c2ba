"""Options of preprocessing and device, shared by the commands that run a model."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import typer

from onnxcert.cli.options.parsing import (
    Numbers,
    parse_numbers,
    parse_overlap,
    parse_size,
    parse_tile,
)
from onnxcert.errors import ParameterError
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import ModelFile, read_model
from onnxcert.model.segmenter import OnnxSegmenter

_SECONDS: Final = 3.0  # after this time, tell the user what the program is doing


@dataclass(frozen=True)
class RunningOptions:
    """With the model, these options define how it runs."""

    title: ClassVar = "Options of preprocessing and device"

    scales: Annotated[
        Numbers | None,
        typer.Option(
            parser=parse_numbers,
            metavar="S,S,...",
            help="Multi-scale prediction: resize the noisy image by each factor and average the "
            "probabilities.",
        ),
    ] = None
    flip: Annotated[
        bool,
        typer.Option(
            "--flip", help="Also predict on the mirrored noisy image and average the probabilities."
        ),
    ] = False
    tile: Annotated[
        tuple[int, int] | Literal["model"] | None,
        typer.Option(
            parser=parse_tile,
            metavar="HxW|model",
            help="Sliding window: split the noisy image into tiles of this size (model: the "
            "model's input size) and average scores where tiles overlap.",
        ),
    ] = None
    overlap: Annotated[
        tuple[int, int] | None,
        typer.Option(
            parser=parse_overlap,
            metavar="PIXELS|HxW",
            help="Overlap of neighbouring tiles in pixels. Default: a third of the tile size.",
        ),
    ] = None
    scale: Annotated[
        float, typer.Option(help="Resize the noisy image by this factor for the model.")
    ] = 1.0
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            parser=parse_size,
            metavar="HxW",
            help="Resize the noisy image to this height and width for the model.",
        ),
    ] = None
    resize: Annotated[
        bool,
        typer.Option(
            "--resize", help="Resize the noisy image to the only size that the model takes."
        ),
    ] = False
    pad_to: Annotated[
        int | None,
        typer.Option(metavar="K", help="Pad images until height and width are multiples of K."),
    ] = None
    # ** VIEWS
    grid: Annotated[
        str,
        typer.Option(
            metavar="native|model",
            help="native: certify the pixels of the image; model: certify the cells of the model's "
            "output grid.",
        ),
    ] = "native"
    fill: Annotated[
        bool,
        typer.Option(
            "--fill", help="Repeat points of shapes that have fewer points than the model takes."
        ),
    ] = False
    device: Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:1 or tensorrt.")] = (
        "auto"
    )
    threads: Annotated[int, typer.Option(help="Number of CPU threads; 0 for all cores.")] = 0
    batch_size: Annotated[
        int | None, typer.Option(help="Noise samples per model pass. Default: measured.")
    ] = None

    def __post_init__(self) -> None:
        if self.batch_size is not None and not 1 <= self.batch_size <= 4096:
            raise ParameterError(f"--batch-size must be from 1 to 4096, got {self.batch_size}.")
        if not 0 <= self.threads <= 1024:
            raise ParameterError(
                f"--threads must be from 0 (all cores) to 1024, got {self.threads}."
            )
        if self.resize and self.size is not None:
            raise ParameterError("--resize and --size exclude each other; give only one of them.")

    @property
    def device_options(self) -> dict[str, Any]:
        """Device and threads, as keyword arguments of `OnnxSegmenter`."""
        return {"device": self.device, "threads": self.threads}

    def preprocessing(self, contract: Contract, file: ModelFile) -> dict[str, Any]:
        """Return the preprocessing, as keyword arguments of `OnnxSegmenter`.

        Raises:
            ParameterError: --resize is given, but the model takes any size.
        """
        if isinstance(contract, ImageContract):
            return {"fit": self._build_fit(contract, file), "fill": self.fill}
        if self.resize or self.tile == "model":
            fit = Fit(grid="model")
        else:
            fit = self._build_fit(ImageContract(), file)
        # Models of points accept only the default fit, so the segmenter refuses any other.
        return {"fit": fit, "fill": self.fill}

    def _build_fit(self, contract: ImageContract, file: ModelFile) -> Fit:
        if self.resize and contract.size is None:
            raise ParameterError(
                f"{file.path} takes images of any size; use --size instead of --resize."
            )
        if self.tile == "model" and contract.size is None:
            raise ParameterError(
                f"{file.path} takes images of any size; give the tile size as --tile HxW."
            )
        size = contract.size if self.resize else self.size
        plain = self.scale == 1.0 and not self.scales and self.tile is None
        return Fit(
            scale=self.scale,
            size=contract.usual_size if size is None and plain else size,
            pad_to=(contract.multiple or 1) if self.pad_to is None else self.pad_to,
            grid=self.grid,  # type: ignore[arg-type]
            scales=self.scales or (),
            flip=self.flip,
            tile=contract.size if self.tile == "model" else self.tile,
            overlap=self.overlap,
        )

    def open_model(
        self,
        file: ModelFile,
        given: Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
        *,
        names: Sequence[str] = (),
    ) -> OnnxSegmenter:
        """Return the model, ready to run.

        Args:
            file: Model file.
            given: Contract fields that were given.
            options: Device and threads, instead of those of the command line.
            names: Class names, if the inputs or the user give them.
        """
        with print_if_slow(f"opening {file.path} ..."):
            contract = detect(file, given, names=names)
            arguments = {**self.preprocessing(contract, file), **(options or self.device_options)}
            return OnnxSegmenter(file, contract, **arguments)


@contextmanager
def print_if_slow(text: str, *, after: float = _SECONDS) -> Iterator[threading.Timer]:
    """Print `text` to standard error if the block takes more than `after` seconds."""
    timer = threading.Timer(after, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield timer
    finally:
        timer.cancel()


def load_model(path: Path) -> ModelFile:
    """Read the model at `path`; see `onnxcert.model.graph.file.read_model`."""
    with print_if_slow(f"reading {path} and its weights ..."):
        return read_model(path)
