"""The table of a run."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxcert.api.keyword_checks import check_keywords
from onnxcert.api.keywords import Name
from onnxcert.errors import StoreError
from onnxcert.report.tables.abstention import SOME
from onnxcert.report.tables.summary import Summary, summarise
from onnxcert.report.tables.table import table
from onnxcert.results import Results, open_results


@dataclass(frozen=True)
class Report:
    """Scores and counts over all inputs of a run; as text the table of the command line.

    Attributes:
        summary: the numbers.
    """

    summary: Summary

    def table(self, *, per_class: bool = False) -> str:
        """Return the table and the guarantee as text, with `per_class` also the IoU by class."""
        return table(self.summary, per_class=per_class)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.table())}</pre>"


@check_keywords()
def report(results: Name | Results, *, explain: int | None = SOME) -> Report:
    """Return the table of a finished or interrupted run, from its stored results.

    Args:
        results: results folder, packed file, or a `ResultStore`.
        explain: largest number of inputs whose votes are read to explain what abstains; None for
            all.

    Raises:
        StoreError: there are no results, or a record has changed since it was written.
    """
    found = as_results(results)
    listed = get_listed(found)
    if not listed["listed"] and not found.names():
        raise StoreError(
            f"there are no results in {found.path}; give the folder that onnxcert certify wrote, "
            "or one of its outputs if the model has several."
        )
    return Report(summarise(found.records(checked=True), explain=explain, **listed))


def as_results(results: Any) -> Results:
    """Return the results in a folder or packed file, or `results` itself if it is open."""
    if isinstance(results, Results):
        return results
    store = getattr(results, "store", None)  # of a finished run
    return store if isinstance(store, Results) else open_results(Path(results))


def get_listed(results: Results) -> dict[str, Any]:
    """Return the arguments of `summarise` about inputs without a record."""
    run = results.run() or {}
    listed, skipped = run.get("listed"), run.get("skipped")
    return {
        "listed": len(listed) if isinstance(listed, list) else 0,
        "skipped": skipped if isinstance(skipped, dict) else {},
    }
