"""Work on stored results without the model: verify, decide again, compare, pack, merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import fspath
from pathlib import Path

from onnxcert.api.keyword_checks import check_keywords
from onnxcert.api.keywords import Name
from onnxcert.api.report import Report, as_results
from onnxcert.api.rules import as_budget, as_taus
from onnxcert.audit import Verification
from onnxcert.audit import verify as run_checks
from onnxcert.audit.redecide import ReDecision
from onnxcert.model.bundled import find_model
from onnxcert.report.figures.curve import write_summary_curve
from onnxcert.report.figures.plotting import BestEffort
from onnxcert.report.tables.comparison import Comparison, compare
from onnxcert.report.tables.summary import summarise
from onnxcert.results import MergeResult, Results, ResultStore
from onnxcert.results import merge as merge_results
from onnxcert.results import pack as pack_results
from onnxcert.statistics.post_hoc import RuleChange
from onnxcert.statistics.rule import AlphaScope, Budget, Rule


@check_keywords()
def verify(
    results: Name | Results,
    *,
    model: Name | None = None,
    inputs: Name | Sequence[Name] = (),
    independent: bool = False,
) -> Verification:
    """Check stored results; see `onnxcert.audit.verify`.

    Args:
        results: results folder, packed file, or a `ResultStore`.
        model: the model; by default the path in each record.
        inputs: input files, folders or patterns; by default the path in each record.
        independent: also compare certificates with the corrections of statsmodels.

    Raises:
        StoreError: there are no results, or a packed file cannot be opened.
        ModelError: `model` cannot be read.
        InputError: a file in `inputs` does not exist.
    """
    given = [inputs] if isinstance(inputs, str) or hasattr(inputs, "__fspath__") else inputs
    return run_checks(
        as_results(results),
        model=None if model is None else find_model(fspath(model)),
        inputs=[fspath(one) for one in given],
        independent=independent,
    )


@dataclass(frozen=True)
class DecidedAgain:
    """Certificates that were decided again.

    Attributes:
        stored: scores and counts of the stored certificates.
        decided: those of the new ones.
        rule: the new rule; `rule.hindsight` names what was chosen post hoc.
        warning: why the level is void or rests on a declaration; empty if neither.
        fixed_beforehand: whether the user declares that the rule was fixed before the votes were
            seen.
        store: the new results, if they were written.
    """

    stored: Report
    decided: Report
    rule: Rule
    warning: str
    fixed_beforehand: bool
    store: ResultStore | None

    def __repr__(self) -> str:
        warning = [f"warning: {self.warning}."] if self.warning else []
        return "\n".join([*warning, str(self.decided)])


@check_keywords()
def redecide(
    results: Name | Results,
    *,
    tau: float | Sequence[float] | None = None,
    alpha: float | None = None,
    alpha_scope: AlphaScope | None = None,
    correction: str | None = None,
    budget: str | int | Budget | None = None,
    procedure: str | None = None,
    radius_map: bool | None = None,
    floor: float | None = None,
    fixed_beforehand: bool = False,
    out: Name | None = None,
) -> DecidedAgain:
    """Decide certificates again from stored votes, without the model; as `onnxcert decide`.

    Keywords that are not given keep their stored values. Most choices made after the votes were
    seen void the level alpha; the warning and the statement name them. The stored results are not
    changed.

    Args:
        results: results folder, packed file, or a `ResultStore`.
        tau: see `onnxcert.statistics.rule.Rule`; further stored tau are kept after the given ones.
        alpha: see `onnxcert.statistics.rule.Rule`.
        alpha_scope: see `onnxcert.statistics.rule.Rule`.
        correction: see `onnxcert.statistics.rule.Rule`.
        budget: wrong components tolerated, a number or a share such as ``"0.1%"``.
        procedure: see `onnxcert.statistics.rule.Rule`.
        radius_map: see `onnxcert.statistics.rule.Rule`.
        floor: see `onnxcert.statistics.rule.Rule`.
        fixed_beforehand: declare that these settings were fixed before anybody saw the votes.
        out: new folder for the new results; None to write nothing.

    Raises:
        StoreError: there are no results, a record is damaged, or `out` is not empty.
        ParameterError: the change is not possible for these results.
    """
    text = as_budget(budget)
    change = RuleChange(
        taus=None if tau is None else as_taus(tau),
        alpha=alpha,
        alpha_scope=alpha_scope,
        correction=correction,
        budget=None if text is None else text.text,
        procedure=procedure,
        radius_map=radius_map,
        floor=floor,
    )
    again = ReDecision.of(as_results(results), change, fixed_beforehand=fixed_beforehand)
    folder = None if out is None else Path(out)
    before, after = again.stored_summary(), again.redecide(folder)
    return DecidedAgain(
        Report(before),
        Report(after),
        again.rule,
        again.warning,
        fixed_beforehand,
        None if folder is None else ResultStore(folder),
    )


@check_keywords()
def diff(a: Name | Results, b: Name | Results) -> Comparison:
    """Compare two runs; see `onnxcert.report.tables.comparison.compare`.

    Args:
        a: results folder, packed file, or a `ResultStore`.
        b: the results to compare with.

    Raises:
        StoreError: a run has no finished input, or its parameters are not stored.
    """
    return compare(as_results(a), as_results(b))


@check_keywords()
def pack(results: Name | ResultStore, file: Name) -> int:
    """Pack a run into one portable HDF5 file; return the number of records.

    Args:
        results: results folder.
        file: new file; an existing file is never overwritten.

    Raises:
        StoreError: there is nothing to pack, a record has changed, or `file` exists or cannot be
            written.
    """
    store = results if isinstance(results, ResultStore) else ResultStore(Path(results))
    return pack_results(store, Path(file))


@dataclass(frozen=True)
class MergedRun:
    """The results of merged shards.

    Attributes:
        store: the merged results.
        merged: finished, missing and skipped inputs.
        report: scores and counts; None if no input is finished.
        warnings: figures that could not be drawn, as sentences.
    """

    store: ResultStore
    merged: MergeResult
    report: Report | None
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Inputs that no shard has finished or skipped."""
        return self.merged.missing

    @property
    def skipped(self) -> dict[str, str]:
        """Inputs that could not be used -> reason."""
        return dict(self.merged.skipped)


@check_keywords()
def merge(out: Name, shards: Sequence[Name]) -> MergedRun:
    """Merge the shards of one run into one folder; see `onnxcert.results.merge.merge`.

    Args:
        out: folder for the merged results: new, or of the same run.
        shards: results folders of the shards.

    Raises:
        StoreError: the folders are not shards of one run, a record has changed, an input has two
            results, or `out` cannot be written.
    """
    folder = Path(out)
    merged = merge_results(folder, [Path(shard) for shard in shards])
    store, figures, report = ResultStore(folder), BestEffort(), None
    if merged.names:
        summary = summarise(
            store.records(checked=True), listed=merged.listed, skipped=merged.skipped
        )
        write_summary_curve(folder, summary, figures)
        report = Report(summary)
    return MergedRun(store, merged, report, (figures.sentence(),) if figures.missing else ())
