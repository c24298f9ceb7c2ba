"""The part of a run that this process does, and the workers that help it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from onnxcert.api.keywords import WorkerKeywords
from onnxcert.data import Shard
from onnxcert.errors import ParameterError
from onnxcert.model.runtime.machine import available_cores
from onnxcert.model.runtime.session import visible_gpus
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.run.workers.processes import Processes
from onnxcert.run.workers.ray_cluster import Cluster
from onnxcert.run.workers.worker import WorkerPool, WorkerSetup


def parse_shard(shard: str | None, seed: int | None) -> Shard | None:
    """Return the part of the inputs that this process certifies; None for all.

    Raises:
        ParameterError: There is a part, but no common seed.
    """
    if shard is None:
        return None
    parsed = Shard.parse(shard)
    if seed is None:
        raise ParameterError(
            "--shard needs --seed, because all shards of a run use the same seed; give each shard "
            "the same one."
        )
    return parsed


def has_workers(keywords: Mapping[str, Any]) -> bool:
    """Return whether keywords ask for workers."""
    return _on_ray(keywords) or keywords.get("workers") is not None


def _on_ray(keywords: Mapping[str, Any]) -> bool:
    return bool(keywords.get("ray")) or keywords.get("ray_address") is not None


def build_workers(
    model: OnnxSegmenter,
    nonrobust: OnnxSegmenter | None,
    *,
    device: str = "auto",
    threads: int = 0,
    **keywords: Unpack[WorkerKeywords],
) -> WorkerPool | None:
    """Return the workers that run the model; None to run it in this process.

    Args:
        model: the model.
        nonrobust: baseline model, if there is one.
        device: requested device.
        threads: requested threads.
        keywords: see `onnxcert.api.keywords.WorkerKeywords`.

    Raises:
        ParameterError: there are more workers than GPUs, or `device` names a single GPU.
    """
    workers = keywords.get("workers")
    if workers is not None and not 0 <= workers <= 1024:
        raise ParameterError(f"--workers must be from 0 (all available) to 1024, got {workers}.")
    if not has_workers(keywords):
        return None
    if ":" in device:
        raise ParameterError(
            f"each worker needs its own GPU, but --device {device} names a single one; use "
            "--device cuda, or leave --workers and --ray out."
        )
    other = None if nonrobust is None else nonrobust.reopen
    if _on_ray(keywords):
        opening = WorkerSetup(model.reopen, other, device, threads or 1)
        return Cluster(opening, workers or 0, keywords.get("ray_address"))
    gpus = [] if device == "cpu" else visible_gpus()
    size = workers or len(gpus) or available_cores()
    if gpus and size > len(gpus):
        raise ParameterError(
            f"each worker needs its own GPU, but --workers is {size} and this machine has "
            f"{len(gpus)}; use --workers {len(gpus)}, or --device cpu."
        )
    threads = threads or max(1, available_cores() // size)
    return Processes(WorkerSetup(model.reopen, other, device, threads), size, gpus[:size])
