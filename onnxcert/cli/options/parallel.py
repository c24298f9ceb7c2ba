"""Options that distribute a run over processes and machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import typer

from onnxcert.cli.options.base import with_options
from onnxcert.data import Shard
from onnxcert.errors import ParameterError
from onnxcert.model.runtime.machine import available_cores
from onnxcert.model.runtime.session import visible_gpus
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.run.workers.processes import Processes
from onnxcert.run.workers.ray_cluster import Cluster
from onnxcert.run.workers.worker import WorkerPool, WorkerSetup

# Name -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "shard": (
        str | None,
        typer.Option(
            None,
            "--shard",
            metavar="I/K",
            help="Certify only the I-th of K parts of the inputs, e.g. in a job array; needs "
            "--seed. Combine the parts with onnxcert merge.",
        ),
    ),
    "workers": (
        int | None,
        typer.Option(
            None,
            "--workers",
            metavar="N",
            help="Number of worker processes, each with one GPU or a share of the CPU cores; 0: "
            "one per GPU, or per core. The results do not depend on it.",
        ),
    ),
    "ray": (
        bool,
        typer.Option(
            False,
            "--ray",
            help="Run the model on a Ray cluster: the one of this machine, or a new one for this "
            "run. Default of --workers: as many as fit.",
        ),
    ),
    "ray_address": (
        str | None,
        typer.Option(
            None,
            "--ray-address",
            metavar="HOST:PORT",
            help="Address of the Ray cluster; implies --ray.",
        ),
    ),
}


@dataclass(frozen=True)
class ParallelOptions:
    """Values of the parallelism options.

    Attributes:
        shard: Part of the inputs that this process certifies; None for all.
        workers: Number of workers; 0 for as many as fit; None for none.
        ray: Whether the workers run on a Ray cluster.
        address: Address of the Ray cluster, if given.
    """

    shard: Shard | None
    workers: int | None
    ray: bool
    address: str | None

    def check_seed(self, seed: int | None) -> None:
        """Raise ParameterError if there are shards without a common seed."""
        if self.shard is not None and seed is None:
            raise ParameterError(
                "--shard needs --seed, because all shards of a run use the same seed; give each "
                "shard the same one."
            )

    def driver_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return device and threads of this process; with workers it needs only one CPU thread.

        Args:
            options: Requested device and threads.
        """
        if not self.ray and self.workers is None:
            return dict(options)
        return {"device": "cpu", "threads": 1}

    def build_workers(
        self, model: OnnxSegmenter, nonrobust: OnnxSegmenter | None, options: Mapping[str, Any]
    ) -> WorkerPool | None:
        """Return the workers that run the model; None to run it in this process.

        Args:
            model: The model.
            nonrobust: Baseline model, if there is one.
            options: Requested device and threads.

        Raises:
            ParameterError: There are more workers than GPUs, or --device names a single GPU.
        """
        device, threads = str(options["device"]), int(options["threads"])
        if not self.ray and self.workers is None:
            return None
        if ":" in device:
            raise ParameterError(
                f"each worker needs its own GPU, but --device {device} names a single one; use "
                "--device cuda, or leave --workers and --ray out."
            )
        other = None if nonrobust is None else nonrobust.reopen
        if self.ray:
            opening = WorkerSetup(model.reopen, other, device, threads or 1)
            return Cluster(opening, self.workers or 0, self.address)
        gpus = [] if device == "cpu" else visible_gpus()
        size = self.workers or len(gpus) or available_cores()
        if gpus and size > len(gpus):
            raise ParameterError(
                f"each worker needs its own GPU, but --workers is {size} and this machine has "
                f"{len(gpus)}; use --workers {len(gpus)}, or --device cpu."
            )
        threads = threads or max(1, available_cores() // size)
        return Processes(WorkerSetup(model.reopen, other, device, threads), size, gpus[:size])


def _build(values: dict[str, Any]) -> ParallelOptions:
    shard, workers = values["shard"], values["workers"]
    if workers is not None and not 0 <= workers <= 1024:
        raise ParameterError(f"--workers must be from 0 (all available) to 1024, got {workers}.")
    address = values["ray_address"]
    return ParallelOptions(
        None if shard is None else Shard.parse(shard),
        workers,
        values["ray"] or address is not None,
        address,
    )


with_parallel_options = with_options(OPTIONS, "parallel", _build)
