"""Compatibility checks of stored records, the two models, and ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxcert._typing import IntArray
from onnxcert.draws import digest
from onnxcert.errors import ParameterError, StoreError
from onnxcert.inputs import Item
from onnxcert.inputs.pictures.bands import listed
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.store import Record, ResultStore


def refuse_other(
    store: ResultStore,
    record: Record,
    item: Item,
    *,
    identity: str,
    truth: IntArray | None,
    category: str,
    asked: Mapping[str, Any],
) -> None:
    """Raise StoreError unless `record` belongs to this run and to the present `item`.

    Args:
        store: holds the record.
        record: the stored record.
        item: the input.
        identity: present digest of the input.
        truth: present ground truth, or None.
        category: present category of the input.
        asked: every parameter of the run, with its seed.
    """
    known = record.provenance.input.get("label_sha256", "")
    changed = item.path if record.draws.digest != identity else None
    if truth is not None and known != digest(truth):
        changed = item.label or item.path  # the input file may contain the labels
    if changed is not None:
        raise StoreError(
            f"{changed} has changed since {store.folder} was written; choose another folder with "
            "--out."
        )
    called = record.provenance.input.get("category", "")
    if category != called:
        raise StoreError(
            f"{item.path} has the category {category!r}, but had {called!r} when {store.folder} "
            "was written; choose another folder with --out."
        )
    if record.provenance.parameters != asked:
        raise StoreError(
            f"the record {item.name} in {store.folder} was not made by this run; delete it and run "
            "the same command again."
        )


def refuse_another_kind(mine: OnnxSegmenter, other: OnnxSegmenter | None) -> None:
    """Raise ParameterError unless both models can take the same inputs."""
    if other is None:
        return
    if mine.contract.medium != other.contract.medium:
        raise ParameterError(
            f"both models must have the same modality, but {mine.file.path} takes a "
            f"{mine.entry.whole} and {other.file.path} a {other.entry.whole}."
        )
    bands = [getattr(one.contract, "bands", ()) for one in (mine, other)]
    if bands[0] != bands[1]:
        told = [f"the bands {listed(one)}" if one else "colours" for one in bands]
        raise ParameterError(
            f"both models must read the same bands, but {mine.file.path} takes {told[0]} and "
            f"{other.file.path} {told[1]}; leave --nonrobust out, or certify that model alone."
        )
    frames = [getattr(one.contract, "frame", "") for one in (mine, other)]
    if frames[0] != frames[1]:
        raise ParameterError(
            f"both models must use the same normalisation, but {mine.file.path} takes shapes in "
            f"the frame {frames[0]} and {other.file.path} in the frame {frames[1]}; leave "
            "--nonrobust out, or certify that model alone."
        )
    shown, wanted = (getattr(one.contract, "points", None) for one in (mine, other))
    if wanted not in (None, shown):
        raise ParameterError(
            f"both models must take the same points, but {mine.file.path} takes {shown or 'all'} "
            f"and {other.file.path} {wanted} of a shape; pass --points {wanted}."
        )


def refuse_unlike(mine: OnnxSegmenter, other: OnnxSegmenter | None, *, labelled: bool) -> None:
    """Raise ParameterError unless ground truth and the other model fit the model's output."""
    if mine.contract.output_form == "multilabel" and labelled:
        raise ParameterError(
            "labels have one class per component, but a multi-label model needs several; leave "
            "--labels out."
        )
    if other is not None and other.classifies != mine.classifies:
        raise ParameterError(
            f"both models must label the same components, but {mine.file.path} labels "
            f"{mine.components} and {other.file.path} {other.components}."
        )
    if other is not None and other.classes != mine.classes:
        raise ParameterError(
            f"both models must have the same number of classes, but {mine.file.path} has "
            f"{mine.classes} and {other.file.path} {other.classes}."
        )
