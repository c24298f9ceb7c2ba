"""Where a result comes from, gathered when it is made."""

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
from onnxcert.draws import Draws, digest
from onnxcert.inputs import Item
from onnxcert.model.running.batching import BatchSize
from onnxcert.model.running.runtime import Runtime
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.result import Provenance

PACKAGES: Final = (
    *("numpy", "scipy", "onnx", "onnxruntime-gpu", "onnxruntime", "h5py", "pillow"),
    *("cupy-cuda12x", "cupy-cuda13x"),
)


def provenance(
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
    """The provenance of one input's result, dated now.

    Args:
        runtime: where the model ran. workers: the processes it ran in, if not in this one.
    """
    return Provenance(
        model={"name": str(segmenter.file.path), "sha256": segmenter.file.sha256},
        contract={
            **asdict(segmenter.contract),
            "medium": segmenter.contract.medium,
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
    """Asked for once, as it takes longer than many an input."""
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
