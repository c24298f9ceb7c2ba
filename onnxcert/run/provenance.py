"""The origin of a result: model, input, parameters and environment."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from onnxcert._typing import IntArray
from onnxcert._version import __version__
from onnxcert.data import Item
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.batch_size import BatchSize
from onnxcert.model.tuning.environment import Runtime
from onnxcert.results.record import Provenance
from onnxcert.sampling.draws import Draws, digest

PACKAGES: Final = (
    *("numpy", "scipy", "onnx", "onnxruntime-gpu", "onnxruntime", "h5py", "pillow"),
    *("cupy-cuda12x", "cupy-cuda13x"),
)


def collect_provenance(
    segmenter: OnnxSegmenter,
    runtime: Runtime,
    *,
    class_names: Sequence[str],
    item: Item,
    truth: IntArray | None,
    draws: Draws,
    parameters: Mapping[str, Any],
    batch_size: BatchSize,
    category: str = "",
    workers: str = "",
    warnings: Sequence[str],
) -> Provenance:
    """Return the provenance of the result of one input, with the present date.

    Args:
        segmenter: the model.
        runtime: where the model ran.
        class_names: a name for each class.
        item: the input.
        truth: its ground truth, or None.
        draws: its draws.
        parameters: parameters of the run.
        batch_size: draws per forward pass, and the reason.
        category: category of the input, for metrics.
        workers: description of the worker processes; empty for this process.
        warnings: remarks for the reader of the result.
    """
    return Provenance(
        model={"name": str(segmenter.file.path), "sha256": segmenter.file.sha256},
        contract={
            **asdict(segmenter.contract),
            "medium": segmenter.contract.modality,
            "class_names": list(class_names),
        },
        input={
            "name": item.name,
            "path": str(item.path),
            "label": str(item.label or ""),
            "label_sha256": "" if truth is None else digest(truth),
            "sha256": draws.digest,
            "category": category,
            "index": "" if item.index is None else str(item.index),
        },
        parameters={**parameters, "seed": draws.seed},
        environment={
            **_environment(),
            "onnxruntime": runtime.version,
            "provider": runtime.provider,
            "device": runtime.device,
            "threads": runtime.threads,
            "batch_size": batch_size.draws,
            "batch_size_because": batch_size.why,
            **({"workers": workers} if workers else {}),
            "warnings": list(warnings),
        },
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@cache
def _environment() -> dict[str, Any]:
    """Return Python, platform and package versions; cached, because this is slow."""
    versions = {"onnxcert": __version__}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions,
    }
