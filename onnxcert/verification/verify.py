"""All checks over all records of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxcert.errors import AccessError, InputError, OnnxcertError, StoreError
from onnxcert.store import Pack, Record, Results, ResultStore
from onnxcert.store.encoding import read_record
from onnxcert.store.outline import Row
from onnxcert.verification.evidence import record_misfits
from onnxcert.verification.finding import Finding, Verification
from onnxcert.verification.independent import independent_misfits, unchecked
from onnxcert.verification.label_files import label_file_misfits
from onnxcert.verification.sources import InputCheck, ModelCheck


def verify(
    results: Results,
    *,
    model: Path | None = None,
    inputs: Sequence[str] = (),
    independent: bool = False,
    on_record: Callable[[], None] = lambda: None,
) -> Verification:
    """Look for whatever in `results` does not fit any more.

    Of each record: the digest it carries of itself, the certificate decided again from its votes,
    its settings against `run.json`, the model and the input where they can be found, and in a
    folder the label files and the index. Of the run: the summary table, which also tells when a
    record is gone. What the machine cannot read is a trouble, not a finding.

    Digests are no signatures: who changes votes, settings, digests and files in step is not
    found. Drawn pictures are not looked at.

    Args:
        model: the model file; by default where each record says it was.
        inputs: pictures, folders or patterns; by default where each record says its input was.
        independent: hold certificates to statsmodels' corrections as well; what has no second
            implementation there is said to be unchecked.
        on_record: called after each record.

    Raises:
        StoreError: there are no results, or a packed file cannot be opened.
        ModelError: `model` cannot be read.
        InputError: something in `inputs` is not there.
    """
    names = results.names()
    checks = _Checks(results, model, inputs, independent=independent)
    try:
        checks.run = results.run()
    except AccessError as error:
        checks.trouble("run.json", "it", error)
    except StoreError as error:
        checks.findings.append(Finding("run.json", _clause(error)))
    else:
        if not names and checks.run is not None and not (results.summary() or {}):
            raise StoreError(
                f"no input in {results.path} is finished yet, and there is nothing to verify."
            )
        if checks.run is None:
            if not names:
                raise StoreError(
                    f"there are no results in {results.path}; name a folder that onnxcert certify "
                    "wrote, or a file that onnxcert pack wrote."
                )
            checks.findings.append(Finding("run.json", "it is missing"))
    for name in names:
        checks.record(name)
        on_record()
    try:
        checks.findings += _table_misfits(results, checks.rows, names)
    except AccessError as error:
        checks.trouble(_table(results), "it", error)
    return checks.outcome(len(names))


class _Checks:
    """The results so far, record by record; the arguments are those of `verify`."""

    def __init__(
        self, results: Results, model: Path | None, inputs: Sequence[str], *, independent: bool
    ) -> None:
        self.results = results
        self.run: dict[str, Any] | None = None
        self.findings: list[Finding] = []
        self.rows: dict[str, dict[str, Any]] = {}
        self._troubles: dict[Finding, None] = {}
        self._notes: dict[str, None] = {}
        self._alone: dict[str, int] | None = {} if independent else None
        self._models, self._pictures = ModelCheck(model), InputCheck(inputs)

    def trouble(self, name: str, what: str, error: AccessError) -> None:
        """Note that `what` of `name` cannot be checked for now."""
        self._troubles[Finding(name, f"{what} could not be read ({error.why})")] = None

    def record(self, name: str) -> None:
        """Check one record and its files."""
        try:
            # All inside, because a value of an unexpected type is damage, too, wherever it causes
            # an error.
            with self.results.examine(name) as (found, row, stored):
                if stored is None:
                    self._add(name, ["the record carries no digest of itself"])
                elif stored != row.digest:
                    self._add(name, ["the record is not what was written, as its digest tells"])
                self._examined(name, self.results.accept(name, read_record(found)).in_memory(), row)
        except InputError:
            raise  # a given input is missing, which is not a fault of the record
        except AccessError as error:
            self.trouble(name, "the record", error)
        except OnnxcertError as error:
            self.findings.append(Finding(name, _clause(error)))

    def _examined(self, name: str, record: Record, row: Row) -> None:
        self.rows[name] = record.summary()
        if record.draws.law_note:
            self._notes[record.draws.law_note] = None
        self._add(name, record_misfits(record, name, self.run))
        if self._alone is not None:
            reason = unchecked(record.decision.rule)
            if reason:
                self._alone[reason] = self._alone.get(reason, 0) + 1
            else:
                self._add(name, independent_misfits(record))
        for check in (self._models, self._pictures):
            self._add(name, _one(check, record))
        if isinstance(self.results, ResultStore):
            self._add(name, label_file_misfits(self.results.folder, record))
            self._add(name, [self.results.index_misfit(name, row)])

    def _add(self, name: str, found: Iterable[str | None]) -> None:
        """Add the findings of one check; if it cannot read a file, the other checks still run."""
        try:
            for text in found:
                if text:
                    self.findings.append(Finding(name, text))
        except AccessError as error:
            self.trouble(name, error.path, error)

    def outcome(self, records: int) -> Verification:
        """Return the result of all checks."""
        unseen = (
            *_unchecked(self.results, self._models, self._pictures),
            *_only_by_ours(self._alone or {}),
        )
        return Verification(
            records, tuple(self.findings), unseen, tuple(self._notes), tuple(self._troubles)
        )


def _one(check: ModelCheck | InputCheck, record: Record) -> Iterator[str | None]:
    yield check.misfit(record)


def _table(results: Results) -> str:
    return "the summary table" if isinstance(results, Pack) else "results.h5"


def _table_misfits(
    results: Results, rows: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> Iterator[Finding]:
    """The summary table against the records it was derived from."""
    table = _table(results)
    try:
        listed = results.summary()
    except AccessError:
        raise
    except StoreError as error:
        yield Finding(table, _clause(error))
        return
    for name, row in (listed or {}).items():
        if name not in names:
            yield Finding(name, f"its record is gone, {table} still lists it")
        elif name in rows and row != rows[name]:
            wrong = [k for k in rows[name] if row.get(k) != rows[name][k]]
            yield Finding(name, f"{table} has another {', '.join(wrong) or 'row'} for it")


def _unchecked(results: Results, models: ModelCheck, pictures: InputCheck) -> Iterator[str]:
    for path in sorted(models.missing):
        yield f"the model {path or 'named nowhere'} is not here; give it with --model."
    if pictures.missing:
        yield (
            f"{len(pictures.missing)} inputs are not where they were, such as "
            f"{pictures.missing[0]}; give them with --inputs."
        )
    yield from pictures.unreadable.values()
    if isinstance(results, ResultStore) and not (results.folder / "results.h5").exists():
        yield "results.h5 is not there, so nothing tells whether records are gone."


def _only_by_ours(reasons: Mapping[str, int]) -> Iterator[str]:
    for reason, records in reasons.items():
        counted = "1 record was" if records == 1 else f"{records} records were"
        yield f"{reason}; {counted} decided again by this program alone."


def _clause(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
