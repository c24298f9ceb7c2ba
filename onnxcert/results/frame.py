"""Records as a pandas data frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxcert.metrics.scores import scores
from onnxcert.results.record import Record

if TYPE_CHECKING:
    from pandas import DataFrame


def make_frame(records: Iterable[Record]) -> DataFrame:
    """Return one row for each record; see `onnxcert.results.reader.Results.to_frame`."""
    import pandas as pd

    return pd.DataFrame.from_records(
        [_make_row(record) for record in records], index="name", columns=_COLUMNS
    )


_COLUMNS = (
    *("name", "components", "certified", "radius", "n", "seed", "nonfinite"),
    *("accuracy", "miou", "clean_accuracy"),
)


def _make_row(record: Record) -> dict[str, Any]:
    decision, tally = record.decision, record.tally
    found = {row: scores(np.asarray(matrix[...])) for row, matrix in record.confusions.items()}
    certified, clean = found.get("certified"), found.get("clean")
    return {
        "name": record.name,
        "components": decision.components,
        "certified": 1.0 - decision.abstained[0] / decision.components,
        "radius": decision.radius[0],
        "n": tally.n,
        "seed": tally.draws.seed,
        "nonfinite": tally.nonfinite,
        "accuracy": certified and certified.accuracy,
        "miou": certified and certified.miou,
        "clean_accuracy": clean and clean.accuracy,
    }
