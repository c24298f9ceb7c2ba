"""The origin of a result: model, input, environment, and the parameters that it depends on."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Protocol

from onnxcert._typing import IntArray
from onnxcert._version import __version__
from onnxcert.data import INDEX, Item, Listing
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.batch_size import BatchSize
from onnxcert.model.tuning.environment import Runtime
from onnxcert.results.record import Provenance
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics.settings import Settings

PACKAGES: Final = (
    *("numpy", "scipy", "onnx", "onnxruntime-gpu", "onnxruntime", "h5py", "pillow"),
    *("cupy-cuda12x", "cupy-cuda13x"),
)


def collect_parameters(
    segmenter: OnnxSegmenter,
    nonrobust: OnnxSegmenter | None,
    listing: Listing,
    settings: Settings,
    ignore_label: int | None,
    generator: str,
) -> dict[str, Any]:
    """Return every parameter that a stored result depends on, but the seed: name -> JSON value."""
    contract = asdict(segmenter.contract)
    # Class names do not change a result, and the number of classes may not be known yet.
    for name in ("sources", "class_names", "classes"):
        del contract[name]
    for name in ("bands", "resize"):
        if not contract.get(name, True):
            del contract[name]  # stay compatible with results of versions without this field
    values: dict[str, Any] = {
        "model": segmenter.file.sha256,
        "contract": contract,
        **segmenter.entry.as_dict(),
        "nonrobust": nonrobust.file.sha256 if nonrobust else None,
        "labels": any(item.label is not None for item in listing.items),
        "ignore_label": ignore_label,
        "generator": generator,
        **settings.as_dict(),
    }
    if listing.label_encoding.key != INDEX.key:
        values["label_coding"] = listing.label_encoding.key
    if listing.also_ignored:  # stay compatible with results of versions without it
        values["also_ignored"] = list(listing.also_ignored)
    if listing.columns is not None:
        values["columns"] = listing.columns
    if settings.rule.alpha_scope == "dataset":
        # These inputs share alpha.
        names = "\n".join(sorted(item.name for item in listing.items))
        values["dataset"] = hashlib.sha256(names.encode()).hexdigest()
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain


def hash_parameters(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of parameters."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


class Origin(Protocol):
    """What all results of a run share; see `onnxcert.run.context.RunContext`."""

    @property
    def segmenter(self) -> OnnxSegmenter: ...
    @property
    def runtime(self) -> Runtime: ...
    @property
    def workers(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...


def collect_provenance(
    context: Origin,
    *,
    class_names: Sequence[str],
    item: Item,
    truth: IntArray | None,
    draws: Draws,
    batch_size: BatchSize,
    category: str,
    warnings: Sequence[str],
) -> Provenance:
    """Return the provenance of the result of one input, with the present date.

    Args:
        context: what the jobs of the run share.
        class_names: a name for each class.
        item: the input.
        truth: its ground truth, or None.
        draws: its draws.
        batch_size: draws per forward pass, and the reason.
        category: category of the input, for metrics; empty if unknown.
        warnings: remarks for the reader of the result.
    """
    segmenter, runtime = context.segmenter, context.runtime
    return Provenance(
        model={"name": str(segmenter.file.path), "sha256": segmenter.file.sha256},
        contract={
            **asdict(segmenter.contract),
            "medium": segmenter.contract.modality.value,
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
        parameters={**context.parameters, "seed": draws.seed},
        environment={
            **describe_environment(),
            "onnxruntime": runtime.version,
            "provider": runtime.provider,
            "device": runtime.device,
            "threads": runtime.threads,
            "batch_size": batch_size.draws,
            "batch_size_because": batch_size.why,
            **({"workers": context.workers} if context.workers else {}),
            "warnings": list(warnings),
        },
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@cache
def describe_environment() -> dict[str, Any]:
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
