"""Options of preprocessing and device, shared by the commands that run a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import typer

from onnxcert.cli.options.base import with_options
from onnxcert.cli.options.loading import print_if_slow
from onnxcert.cli.options.parsing import parse_numbers, parse_overlap, parse_size, parse_tile
from onnxcert.errors import ParameterError
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.detect.detect import detect
from onnxcert.model.graph.file import ModelFile
from onnxcert.model.segmenter import OnnxSegmenter

# Name -> (type, option).
VIEWS: Final[dict[str, tuple[Any, Any]]] = {
    "scales": (
        Any | None,
        typer.Option(
            None,
            "--scales",
            parser=parse_numbers,
            metavar="S,S,...",
            help="Multi-scale prediction: resize the noisy image by each factor and average the "
            "probabilities.",
        ),
    ),
    "flip": (
        bool,
        typer.Option(
            False,
            "--flip",
            help="Also predict on the mirrored noisy image and average the probabilities.",
        ),
    ),
    "tile": (
        Any | None,
        typer.Option(
            None,
            "--tile",
            parser=parse_tile,
            metavar="HxW|model",
            help="Sliding window: split the noisy image into tiles of this size (model: the "
            "model's input size) and average scores where tiles overlap.",
        ),
    ),
    "overlap": (
        Any | None,
        typer.Option(
            None,
            "--overlap",
            parser=parse_overlap,
            metavar="PIXELS|HxW",
            help="Overlap of neighbouring tiles in pixels. Default: a third of the tile size.",
        ),
    ),
}
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "scale": (
        float,
        typer.Option(1.0, "--scale", help="Resize the noisy image by this factor for the model."),
    ),
    "size": (
        Any | None,
        typer.Option(
            None,
            "--size",
            parser=parse_size,
            metavar="HxW",
            help="Resize the noisy image to this height and width for the model.",
        ),
    ),
    "resize": (
        bool,
        typer.Option(
            False, "--resize", help="Resize the noisy image to the only size that the model takes."
        ),
    ),
    "pad_to": (
        int | None,
        typer.Option(
            None,
            "--pad-to",
            metavar="K",
            help="Pad images until height and width are multiples of K.",
        ),
    ),
    **VIEWS,
    "grid": (
        str,
        typer.Option(
            "native",
            "--grid",
            metavar="native|model",
            help="native: certify the pixels of the image; model: certify the cells of the model's "
            "output grid.",
        ),
    ),
    "fill": (
        bool,
        typer.Option(
            False,
            "--fill",
            help="Repeat points of shapes that have fewer points than the model takes.",
        ),
    ),
    "device": (
        str,
        typer.Option("auto", "--device", help="Device: auto, cpu, cuda, cuda:1 or tensorrt."),
    ),
    "threads": (
        int,
        typer.Option(0, "--threads", help="Number of CPU threads; 0 for all cores."),
    ),
    "batch_size": (
        int | None,
        typer.Option(None, "--batch-size", help="Noise samples per model pass. Default: measured."),
    ),
}


@dataclass(frozen=True)
class RunningOptions:
    """Values of the preprocessing and device options."""

    values: dict[str, Any]

    @property
    def batch_size(self) -> int | None:
        size: int | None = self.values["batch_size"]
        return size

    @property
    def device_options(self) -> dict[str, Any]:
        """Device and threads, as keyword arguments of `OnnxSegmenter`."""
        return {name: self.values[name] for name in ("device", "threads")}

    def preprocessing(self, contract: Contract, file: ModelFile) -> dict[str, Any]:
        """Return the preprocessing, as keyword arguments of `OnnxSegmenter`.

        Raises:
            ParameterError: --resize is given, but the model takes any size.
        """
        if isinstance(contract, ImageContract):
            return {"fit": self._build_fit(contract, file), "fill": self.values["fill"]}
        if self.values["resize"] or self.values["tile"] == "model":
            fit = Fit(grid="model")
        else:
            fit = self._build_fit(ImageContract(), file)
        # Models of points accept only the default fit, so the segmenter refuses any other.
        return {"fit": fit, "fill": self.values["fill"]}

    def _build_fit(self, contract: ImageContract, file: ModelFile) -> Fit:
        values = self.values
        if values["resize"] and contract.size is None:
            raise ParameterError(
                f"{file.path} takes images of any size; use --size instead of --resize."
            )
        size = contract.size if values["resize"] else values["size"]
        plain = values["scale"] == 1.0 and not values["scales"] and values["tile"] is None
        return Fit(
            scale=values["scale"],
            size=contract.usual_size if size is None and plain else size,
            pad_to=(contract.multiple or 1) if values["pad_to"] is None else values["pad_to"],
            grid=values["grid"],
            scales=values["scales"] or (),
            flip=values["flip"],
            tile=fixed_tile_size(contract, file) if values["tile"] == "model" else values["tile"],
            overlap=values["overlap"],
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


def fixed_tile_size(contract: ImageContract, file: ModelFile) -> tuple[int, int]:
    """Return the only tile size that the model takes, (height, width).

    Raises:
        ParameterError: The model takes any size.
    """
    if contract.size is None:
        raise ParameterError(
            f"{file.path} takes images of any size; give the tile size as --tile HxW."
        )
    return contract.size


def _build(values: dict[str, Any]) -> RunningOptions:
    batch_size, threads = values["batch_size"], values["threads"]
    if batch_size is not None and not 1 <= batch_size <= 4096:
        raise ParameterError(f"--batch-size must be from 1 to 4096, got {batch_size}.")
    if not 0 <= threads <= 1024:
        raise ParameterError(f"--threads must be from 0 (all cores) to 1024, got {threads}.")
    if values["resize"] and values["size"] is not None:
        raise ParameterError("--resize and --size exclude each other; give only one of them.")
    return RunningOptions(values)


with_running_options = with_options(OPTIONS, "running", _build)
