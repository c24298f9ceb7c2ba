"""Compatibility checks of stored records, the two models, and ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxcert._typing import IntArray
from onnxcert.data import Item
from onnxcert.data.images.bands import join_band_names
from onnxcert.errors import ParameterError, StoreError
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.results import Record, ResultStore
from onnxcert.sampling.draws import digest


def check_stored_record(
    store: ResultStore,
    record: Record,
    item: Item,
    *,
    input_digest: str,
    truth: IntArray | None,
    category: str,
    parameters: Mapping[str, Any],
) -> None:
    """Raise StoreError unless `record` belongs to this run and to the present `item`.

    Args:
        store: holds the record.
        record: the stored record.
        item: the input.
        input_digest: present digest of the input.
        truth: present ground truth, or None.
        category: present category of the input.
        parameters: every parameter of the run, with its seed.
    """
    label_digest = record.provenance.input.get("label_sha256", "")
    changed = item.path if record.tally.draws.digest != input_digest else None
    if truth is not None and label_digest != digest(truth):
        changed = item.label or item.path  # the input file may contain the labels
    if changed is not None:
        raise StoreError(
            f"{changed} has changed since {store.folder} was written; choose another folder with "
            "--out."
        )
    stored_category = record.provenance.input.get("category", "")
    if category != stored_category:
        raise StoreError(
            f"{item.path} has the category {category!r}, but had {stored_category!r} when "
            f"{store.folder} was written; choose another folder with --out."
        )
    if record.provenance.parameters != parameters:
        raise StoreError(
            f"the record {item.name} in {store.folder} was not made by this run; delete it and run "
            "the same command again."
        )


def check_same_inputs(model: OnnxSegmenter, other: OnnxSegmenter | None) -> None:
    """Raise ParameterError unless both models can take the same inputs."""
    if other is None:
        return
    own, theirs = model.contract, other.contract
    if own.modality != theirs.modality:
        raise ParameterError(
            f"both models must have the same modality, but {model.file.path} takes a "
            f"{own.modality.whole} and {other.file.path} a {theirs.modality.whole}."
        )
    if isinstance(own, ImageContract) and isinstance(theirs, ImageContract):
        if own.bands != theirs.bands:
            first, second = (
                f"the bands {join_band_names(one.bands)}" if one.bands else "colours"
                for one in (own, theirs)
            )
            raise ParameterError(
                f"both models must read the same bands, but {model.file.path} takes {first} and "
                f"{other.file.path} {second}; leave --nonrobust out, or certify that model alone."
            )
        return
    assert isinstance(own, PointContract)
    assert isinstance(theirs, PointContract)
    if own.frame != theirs.frame:
        raise ParameterError(
            f"both models must use the same normalisation, but {model.file.path} takes shapes in "
            f"the frame {own.frame} and {other.file.path} in the frame {theirs.frame}; leave "
            "--nonrobust out, or certify that model alone."
        )
    if theirs.points not in (None, own.points):
        raise ParameterError(
            f"both models must take the same points, but {model.file.path} takes "
            f"{own.points or 'all'} and {other.file.path} {theirs.points} of a shape; pass "
            f"--points {theirs.points}."
        )


def check_same_outputs(
    model: OnnxSegmenter, other: OnnxSegmenter | None, *, has_ground_truth: bool
) -> None:
    """Raise ParameterError unless ground truth and the other model fit the model's output."""
    if model.contract.output_form == "multilabel" and has_ground_truth:
        raise ParameterError(
            "labels have one class per component, but a multi-label model needs several; leave "
            "--labels out."
        )
    if other is not None and other.classifies != model.classifies:
        raise ParameterError(
            f"both models must label the same components, but {model.file.path} labels "
            f"{model.component} and {other.file.path} {other.component}."
        )
    if other is not None and other.classes != model.classes:
        raise ParameterError(
            f"both models must have the same number of classes, but {model.file.path} has "
            f"{model.classes} and {other.file.path} {other.classes}."
        )
