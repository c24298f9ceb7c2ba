"""An input that was certified before, held against what is asked now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxcert._typing import IntArray
from onnxcert.draws import digest
from onnxcert.errors import StoreError
from onnxcert.inputs import Item
from onnxcert.store import Record, ResultStore


def refuse_other(
    store: ResultStore,
    record: Record,
    item: Item,
    *,
    identity: str,
    truth: IntArray | None,
    asked: Mapping[str, Any],
) -> None:
    """Raise StoreError unless `record` is what this run would make of `item`.

    Args:
        identity: digest of the input now. truth: its labels now, if there are any.
        asked: every parameter of the run, with its seed.
    """
    known = record.provenance.input.get("label_sha256", "")
    changed = item.path if record.draws.digest != identity else None
    if truth is not None and known and known != digest(truth):
        changed = item.label
    if changed is not None:
        raise StoreError(
            f"{changed} has changed since {store.folder} was written; choose another folder with "
            "--out."
        )
    stored, found = store.fingerprints(item.name)
    if stored != found or record.provenance.parameters != asked:
        raise StoreError(
            f"the record {item.name} in {store.folder} was not made by this run; delete it, and "
            "the same command makes it again."
        )
