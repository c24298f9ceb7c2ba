"""Options that distribute a run over processes and machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from onnxcert.cli.options.base import RUNNING, option

if TYPE_CHECKING:
    pass


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
