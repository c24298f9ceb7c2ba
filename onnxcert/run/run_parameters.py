"""The parameters that a stored result depends on; other values mean another run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from onnxcert.data import INDEX, Listing
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.statistics.settings import Settings


def collect_parameters(
    segmenter: OnnxSegmenter,
    nonrobust: OnnxSegmenter | None,
    listing: Listing,
    settings: Settings,
    ignore_label: int | None,
    generator: str,
) -> dict[str, Any]:
    """Return the parameters of a run, without its seed, as name -> JSON value."""
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
