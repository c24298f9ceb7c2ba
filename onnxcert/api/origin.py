"""The origin of a certificate of one input, as a run would store it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.api.inputs import ReadInput
from onnxcert.api.wrapped import WrappedModel
from onnxcert.data import Item, Listing
from onnxcert.data.points import PointCloud
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.model.segmenter import OnnxSegmenter, resolve_class_names
from onnxcert.model.tuning.batch_size import BatchSize
from onnxcert.model.tuning.environment import Runtime
from onnxcert.results.record import Provenance
from onnxcert.run.provenance import collect_parameters, collect_provenance, describe_environment
from onnxcert.sampling import Segmenter
from onnxcert.sampling.draws import Draws
from onnxcert.statistics.settings import Settings


@dataclass(frozen=True)
class _Origin:
    segmenter: OnnxSegmenter
    runtime: Runtime
    parameters: Mapping[str, Any]
    workers: str = ""


def name_classes(
    model: Segmenter, given: Sequence[str], clean: IntArray, classes: int
) -> tuple[str, ...]:
    """Return a name for each class, or for each label of a multi-label model."""
    if isinstance(model, OnnxSegmenter):
        return resolve_class_names(model, tuple(given), clean.shape)
    return tuple(given) or tuple(f"class {c}" for c in range(classes))


def make_provenance(
    model: Segmenter,
    read: ReadInput,
    settings: Settings,
    draws: Draws,
    *,
    class_names: Sequence[str],
    batch_size: BatchSize,
    warnings: Sequence[str],
) -> Provenance:
    """Return the provenance of a certificate made now.

    Args:
        model: the model.
        read: the input.
        settings: the statistical settings.
        draws: the draws.
        class_names: a name for each class.
        batch_size: draws per pass.
        warnings: remarks for the reader of the result.
    """
    item = Item(read.name, Path(read.path), None)
    if isinstance(model, OnnxSegmenter):
        parameters = collect_parameters(
            model, None, Listing((item,)), settings, None, draws.generator
        )
        category = ""
        if isinstance(model.entry, PointAdapter) and isinstance(read.prepared, PointCloud):
            category = model.entry.category(read.prepared.category)
        return collect_provenance(
            _Origin(model, Runtime.of(model), parameters),
            class_names=class_names,
            item=item,
            truth=None,
            draws=draws,
            batch_size=batch_size,
            category=category,
            warnings=warnings,
        )
    name = model.name if isinstance(model, WrappedModel) else "a function"
    is_image = isinstance(read.prepared, np.ndarray) and read.prepared.ndim == 3
    bands = len(read.prepared) if is_image else 0
    return Provenance(
        model={"name": f"({name} in memory)", "sha256": ""},
        contract={
            "class_names": list(class_names),
            **({"channel_order": "GRAY"} if bands == 1 else {}),
            **({"bands": [f"band {i}" for i in range(bands)]} if bands > 3 else {}),
        },
        input={
            "name": read.name,
            "path": read.path,
            "label": "",
            "label_sha256": "",
            "sha256": draws.digest,
            "category": "",
            "index": "",
        },
        parameters={
            "model": "",
            "generator": draws.generator,
            **settings.as_dict(),
            "seed": draws.seed,
        },
        environment={
            **describe_environment(),
            "batch_size": batch_size.draws,
            "batch_size_because": batch_size.why,
            "warnings": list(warnings),
        },
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
