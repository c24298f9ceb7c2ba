"""The options that say how pictures reach a model and where it runs, shared by the commands that
run one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import typer

from onnxcert.cli.loading import announced
from onnxcert.cli.options import with_options
from onnxcert.cli.parsing import height_and_width, numbers, overlap, tile
from onnxcert.errors import ParameterError
from onnxcert.model.contract import Contract
from onnxcert.model.graph import ModelFile
from onnxcert.model.inference import infer
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.pictures.fit import Fit
from onnxcert.model.segmenter import OnnxSegmenter

# Name -> (type, option).
VIEWS: Final[dict[str, tuple[Any, Any]]] = {
    "scales": (
        Any | None,
        typer.Option(
            None,
            "--scales",
            parser=numbers,
            metavar="S,S,...",
            help="The model sees the noisy picture resized by each of these factors; probabilities "
            "are averaged.",
        ),
    ),
    "flip": (
        bool,
        typer.Option(
            False,
            "--flip",
            help="The model sees the noisy picture and its mirror image; probabilities are "
            "averaged.",
        ),
    ),
    "tile": (
        Any | None,
        typer.Option(
            None,
            "--tile",
            parser=tile,
            metavar="HxW|model",
            help="The model sees the noisy picture in tiles of this height and width, or of the "
            "one size that it takes; scores are averaged where tiles overlap.",
        ),
    ),
    "overlap": (
        Any | None,
        typer.Option(
            None,
            "--overlap",
            parser=overlap,
            metavar="PIXELS|HxW",
            help="What neighbouring tiles share; a third of their size if not given.",
        ),
    ),
}
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "scale": (
        float,
        typer.Option(
            1.0, "--scale", help="The model sees the noisy picture resized by this factor."
        ),
    ),
    "size": (
        Any | None,
        typer.Option(
            None,
            "--size",
            parser=height_and_width,
            metavar="HxW",
            help="The model sees every noisy picture resized to this height and width.",
        ),
    ),
    "resize": (
        bool,
        typer.Option(
            False, "--resize", help="Resize pictures to the one size that the model takes."
        ),
    ),
    "pad_to": (
        int | None,
        typer.Option(
            None,
            "--pad-to",
            metavar="K",
            help="Continue pictures until both sides are multiples of K.",
        ),
    ),
    **VIEWS,
    "grid": (
        str,
        typer.Option(
            "native",
            "--grid",
            metavar="native|model",
            help="Certify the picture's own pixels, or the cells of the model's output grid.",
        ),
    ),
    "fill": (
        bool,
        typer.Option(
            False,
            "--fill",
            help="Repeat points of shapes that have fewer than the model takes.",
        ),
    ),
    "device": (str, typer.Option("auto", "--device", help="auto, cpu, cuda, cuda:1 or tensorrt.")),
    "threads": (int, typer.Option(0, "--threads", help="Threads on the CPU; 0 for all cores.")),
    "batch_size": (
        int | None,
        typer.Option(None, "--batch-size", help="Draws per pass; chosen if not given."),
    ),
}


@dataclass(frozen=True)
class Running:
    """What the options said."""

    values: dict[str, Any]

    @property
    def batch_size(self) -> int | None:
        size: int | None = self.values["batch_size"]
        return size

    @property
    def options(self) -> dict[str, Any]:
        """Device and threads, as `OnnxSegmenter` takes them."""
        return {name: self.values[name] for name in ("device", "threads")}

    def entry(self, contract: Contract, file: ModelFile) -> dict[str, Any]:
        """How inputs are brought to the model, as `OnnxSegmenter` takes it.

        Raises:
            ParameterError: `--resize` for a model of any size.
        """
        if isinstance(contract, PictureContract):
            return {"fit": self._fit(contract, file), "fill": self.values["fill"]}
        if self.values["resize"] or self.values["tile"] == "model":
            fit = Fit(grid="model")
        else:
            fit = self._fit(PictureContract(), file)
        return {"fit": fit, "fill": self.values["fill"]}  # a fit that is not the usual is refused

    def _fit(self, contract: PictureContract, file: ModelFile) -> Fit:
        said = self.values
        if said["resize"] and contract.size is None:
            raise ParameterError(
                f"{file.path} takes pictures of any size; use --size in place of --resize."
            )
        size = contract.size if said["resize"] else said["size"]
        plain = said["scale"] == 1.0 and not said["scales"] and said["tile"] is None
        return Fit(
            scale=said["scale"],
            size=contract.usual_size if size is None and plain else size,
            pad_to=(contract.multiple or 1) if said["pad_to"] is None else said["pad_to"],
            grid=said["grid"],
            scales=said["scales"] or (),
            flip=said["flip"],
            tile=model_tile(contract, file) if said["tile"] == "model" else said["tile"],
            overlap=said["overlap"],
        )

    def opened(
        self,
        file: ModelFile,
        given: Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
        *,
        names: Sequence[str] = (),
    ) -> OnnxSegmenter:
        """The model, ready to run; `given` are fields of its contract.

        Args:
            options: device and threads, in place of those asked for.
            names: of classes, where the inputs or the user tell them.
        """
        with announced(f"opening {file.path} ..."):
            contract = infer(file, given, names=names)
            return OnnxSegmenter(
                file, contract, **self.entry(contract, file), **(options or self.options)
            )


def model_tile(contract: PictureContract, file: ModelFile) -> tuple[int, int]:
    """The size of tiles that is the only one the model takes.

    Raises:
        ParameterError: it takes any.
    """
    if contract.size is None:
        raise ParameterError(
            f"{file.path} takes pictures of any size; give the size of the tiles as --tile HxW."
        )
    return contract.size


def _checked(said: dict[str, Any]) -> Running:
    batch_size, threads = said["batch_size"], said["threads"]
    if batch_size is not None and not 1 <= batch_size <= 4096:
        raise ParameterError(f"--batch-size must be from 1 to 4096, got {batch_size}.")
    if not 0 <= threads <= 1024:
        raise ParameterError(f"--threads must be from 0 (all cores) to 1024, got {threads}.")
    if said["resize"] and said["size"] is not None:
        raise ParameterError("--resize and --size exclude each other; give one of them.")
    return Running(said)


with_running_options = with_options(OPTIONS, "running", _checked)
