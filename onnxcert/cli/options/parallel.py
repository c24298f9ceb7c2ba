"""Options that distribute a run over processes and machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from onnxcert.cli.options.base import RUNNING, option
from onnxcert.errors import ParameterError

if TYPE_CHECKING:
    from onnxcert.data import Shard
    from onnxcert.model.segmenter import OnnxSegmenter
    from onnxcert.run.workers.worker import WorkerPool


@dataclass(frozen=True)
class ParallelOptions:
    """With the models, these options define the part of the inputs and the workers."""

    title: ClassVar = RUNNING

    workers: int | None = option(
        "Number of worker processes, each with one GPU or a share of the CPU cores; 0: one per "
        "GPU, or per core. The results do not depend on it.",
    )
    shard: str | None = option(
        "Certify only the I-th of K parts of the inputs, e.g. in a job array; needs --seed. "
        "Combine the parts with onnxcert merge.",
        "I/K",
    )
    ray: bool = option(
        "Run the model on a Ray cluster: the one of this machine, or a new one for this run. "
        "Default of --workers: as many as fit.",
        default=False,
        flag="--ray",
    )
    ray_address: str | None = option("Address of the Ray cluster; implies --ray.", "HOST:PORT")

    def __post_init__(self) -> None:
        if self.workers is not None and not 0 <= self.workers <= 1024:
            raise ParameterError(
                f"--workers must be from 0 (all available) to 1024, got {self.workers}."
            )

    def get_shard(self, seed: int | None) -> Shard | None:
        """Return the part of the inputs that this process certifies; None for all.

        Raises:
            ParameterError: There is a part, but no common seed.
        """
        from onnxcert.data import Shard

        if self.shard is None:
            return None
        shard = Shard.parse(self.shard)
        if seed is None:
            raise ParameterError(
                "--shard needs --seed, because all shards of a run use the same seed; give each "
                "shard the same one."
            )
        return shard

    @property
    def _on_ray(self) -> bool:
        return self.ray or self.ray_address is not None

    def driver_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return device and threads of this process; with workers it needs only one CPU thread.

        Args:
            options: Requested device and threads.
        """
        if not self._on_ray and self.workers is None:
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
        from onnxcert.model.runtime.machine import available_cores
        from onnxcert.model.runtime.session import visible_gpus
        from onnxcert.run.workers.processes import Processes
        from onnxcert.run.workers.ray_cluster import Cluster
        from onnxcert.run.workers.worker import WorkerSetup

        device, threads = str(options["device"]), int(options["threads"])
        if not self._on_ray and self.workers is None:
            return None
        if ":" in device:
            raise ParameterError(
                f"each worker needs its own GPU, but --device {device} names a single one; use "
                "--device cuda, or leave --workers and --ray out."
            )
        other = None if nonrobust is None else nonrobust.reopen
        if self._on_ray:
            opening = WorkerSetup(model.reopen, other, device, threads or 1)
            return Cluster(opening, self.workers or 0, self.ray_address)
        gpus = [] if device == "cpu" else visible_gpus()
        size = self.workers or len(gpus) or available_cores()
        if gpus and size > len(gpus):
            raise ParameterError(
                f"each worker needs its own GPU, but --workers is {size} and this machine has "
                f"{len(gpus)}; use --workers {len(gpus)}, or --device cpu."
            )
        threads = threads or max(1, available_cores() // size)
        return Processes(WorkerSetup(model.reopen, other, device, threads), size, gpus[:size])
