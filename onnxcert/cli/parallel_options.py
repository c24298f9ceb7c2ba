"""The options that spread a run over processes and machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import typer

from onnxcert.cli.options import with_options
from onnxcert.errors import ParameterError
from onnxcert.inputs import Shard
from onnxcert.model.running.cores import available_cores
from onnxcert.model.running.session import visible_gpus
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.workers import Crew, Opening
from onnxcert.workers.cluster import Cluster
from onnxcert.workers.processes import Processes

# Name -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "shard": (
        str | None,
        typer.Option(
            None,
            "--shard",
            metavar="I/K",
            help="Certify the I-th of K parts of the inputs, as a task of a batch scheduler does; "
            "needs --seed. onnxcert merge brings the parts together.",
        ),
    ),
    "workers": (
        int | None,
        typer.Option(
            None,
            "--workers",
            metavar="N",
            help="Run the model in so many processes, on a GPU each, or on a share of the cores; 0 "
            "for one on each GPU, or core. The result is that of one process.",
        ),
    ),
    "ray": (
        bool,
        typer.Option(
            False,
            "--ray",
            help="Run the model on a Ray cluster: the one of this machine, or one started for the "
            "run. --workers says how many; without it as many as there is room for.",
        ),
    ),
    "ray_address": (
        str | None,
        typer.Option(
            None, "--ray-address", metavar="HOST:PORT", help="The Ray cluster to use; means --ray."
        ),
    ),
}


@dataclass(frozen=True)
class Parallel:
    """What the options said.

    Attributes:
        shard: the part of the inputs that this process is for; None for all.
        workers: how many; 0 for as many as there is room for; None for none.
        ray: whether on a Ray cluster. address: of which.
    """

    shard: Shard | None
    workers: int | None
    ray: bool
    address: str | None

    def check_seed(self, seed: int | None) -> None:
        """Raise ParameterError if shards would draw from different seeds."""
        if self.shard is not None and seed is None:
            raise ParameterError(
                "--shard needs --seed, as all parts of a run draw from one seed; give every part "
                "the same."
            )

    def here(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Device and threads of this process, of which a driver needs little.

        Args:
            options: those asked for.
        """
        if not self.ray and self.workers is None:
            return dict(options)
        return {"device": "cpu", "threads": 1}

    def crew(
        self, model: OnnxSegmenter, nonrobust: OnnxSegmenter | None, options: Mapping[str, Any]
    ) -> Crew | None:
        """Who runs the model; None for this process.

        Args:
            options: device and threads, as asked for.

        Raises:
            ParameterError: more workers than GPUs, or workers on one named GPU.
        """
        device, threads = str(options["device"]), int(options["threads"])
        if not self.ray and self.workers is None:
            return None
        if ":" in device:
            raise ParameterError(
                f"each worker has a GPU of its own, but --device {device} names one; use --device "
                "cuda, or leave --workers and --ray out."
            )
        other = None if nonrobust is None else nonrobust.anew
        if self.ray:
            opening = Opening(model.anew, other, device, threads or 1)
            return Cluster(opening, self.workers or 0, self.address)
        gpus = [] if device == "cpu" else visible_gpus()
        size = self.workers or len(gpus) or available_cores()
        if gpus and size > len(gpus):
            raise ParameterError(
                f"each worker has a GPU of its own, and there are {len(gpus)} here, but --workers "
                f"{size} was asked; use --workers {len(gpus)}, or --device cpu."
            )
        threads = threads or max(1, available_cores() // size)
        return Processes(Opening(model.anew, other, device, threads), size, gpus[:size])


def _checked(said: dict[str, Any]) -> Parallel:
    shard, workers = said["shard"], said["workers"]
    if workers is not None and not 0 <= workers <= 1024:
        raise ParameterError(f"--workers must be from 0 (all there is) to 1024, got {workers}.")
    address = said["ray_address"]
    return Parallel(
        None if shard is None else Shard.parse(shard),
        workers,
        said["ray"] or address is not None,
        address,
    )


with_parallel_options = with_options(OPTIONS, "parallel", _checked)
