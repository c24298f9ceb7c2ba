"""All checks of all records of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from onnxcert.audit.independent import compare_with_statsmodels, explain_unchecked
from onnxcert.audit.record_checks import compare_label_files, find_contradictions
from onnxcert.audit.sources import InputCheck, ModelCheck
from onnxcert.errors import AccessError, InputError, OnnxcertError, StoreError
from onnxcert.results import Pack, Record, Results, ResultStore
from onnxcert.results.encoding import read_record
from onnxcert.results.fingerprint import Row

_FEW: Final = 3  # records that are all named in one line


@dataclass(frozen=True)
class Finding:
    """One contradiction in the stored results.

    Attributes:
        name: the input of the record, or a file of the whole run.
        text: what is wrong, without a full stop.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Verification:
    """The result of verifying one run.

    Attributes:
        records: number of records checked.
        findings: contradictions, record by record.
        unchecked: what was missing and so not checked, one sentence each.
        notes: remarks, such as known errors in the noise distribution of old draws.
        troubles: what the operating system could not read, and why; it may be correct or not.
    """

    records: int
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]
    notes: tuple[str, ...] = ()
    troubles: tuple[Finding, ...] = ()

    @property
    def fits(self) -> bool:
        return not self.findings and not self.troubles

    def __str__(self) -> str:
        lines = [
            *_group(self.findings),
            *(f"could not be checked: {line}" for line in _group(self.troubles)),
            *(f"not checked: {text}" for text in self.unchecked),
            *(f"note: {text}" for text in self.notes),
        ]
        records = f"{self.records} record{'' if self.records == 1 else 's'}"
        if self.fits:
            return "\n".join([*lines, f"{records}, all checks passed"])
        counts = [
            f"{count} {noun}{'' if count == 1 else ending}{verb}"
            for count, noun, ending, verb in (
                (len(self.findings), "mismatch", "es", ""),
                (len(self.troubles), "item", "s", " could not be checked"),
            )
            if count
        ]
        return "\n".join([*lines, f"{records}, {', '.join(counts)}"])

    __repr__ = __str__


def _group(found: Sequence[Finding]) -> Iterator[str]:
    """Yield one line per text, with the names of the records that it is about."""
    names: dict[str, list[str]] = {}
    for finding in found:
        names.setdefault(finding.text, []).append(finding.name)
    for text, records in names.items():
        if len(records) <= _FEW:
            yield f"{', '.join(records)}: {text}"
        else:
            yield f"{records[0]} and {len(records) - 1} more: {text}"


def verify(
    results: Results,
    *,
    model: Path | None = None,
    inputs: Sequence[str] = (),
    independent: bool = False,
    on_record: Callable[[], None] = lambda: None,
) -> Verification:
    """Check that stored results are consistent and unchanged.

    For each record: its digest, the certificate computed again from the votes, the settings against
    `run.json`, the model and the input if their files exist, and in a folder the label files and
    the index. For the run: the summary table, which also reveals missing records. What the
    operating system cannot read is a trouble, not a finding.

    Digests are not signatures: a consistent change of votes, settings, digests and files is not
    detected. Figures are not checked.

    Args:
        results: the stored results.
        model: the model file; by default the path in each record.
        inputs: input files, folders or patterns; by default the path in each record.
        independent: also compare certificates with the corrections of statsmodels; rules without a
            second implementation are listed as unchecked.
        on_record: called after each record.

    Raises:
        StoreError: there are no results, or a packed file cannot be opened.
        ModelError: `model` cannot be read.
        InputError: a file in `inputs` does not exist.
    """
    names = results.names()
    checks = _Checks(results, model, inputs, independent=independent)
    try:
        checks.run = results.run()
    except AccessError as error:
        checks.trouble("run.json", "it", error)
    except StoreError as error:
        checks.findings.append(Finding("run.json", _to_clause(error)))
    else:
        if not names and checks.run is not None and not (results.summary() or {}):
            raise StoreError(
                f"no input in {results.path} is finished yet, so there is nothing to verify."
            )
        if checks.run is None:
            if not names:
                raise StoreError(
                    f"there are no results in {results.path}; give a folder that onnxcert certify "
                    "wrote, or a file that onnxcert pack wrote."
                )
            checks.findings.append(Finding("run.json", "it is missing"))
    for name in names:
        checks.record(name)
        on_record()
    try:
        checks.findings += _compare_table(results, checks.rows, names)
    except AccessError as error:
        checks.trouble(_name_table(results), "it", error)
    return checks.result(len(names))


class _Checks:
    """The findings so far; the arguments are those of `verify`."""

    def __init__(
        self, results: Results, model: Path | None, inputs: Sequence[str], *, independent: bool
    ) -> None:
        self.results = results
        self.run: dict[str, Any] | None = None
        self.findings: list[Finding] = []
        self.rows: dict[str, dict[str, Any]] = {}
        self._troubles: dict[Finding, None] = {}
        self._notes: dict[str, None] = {}
        self._unchecked_rules: dict[str, int] | None = {} if independent else None
        self._model_check, self._input_check = ModelCheck(model), InputCheck(inputs)

    def trouble(self, name: str, what: str, error: AccessError) -> None:
        """Store that `what` of `name` cannot be read and so not be checked."""
        self._troubles[Finding(name, f"{what} could not be read ({error.why})")] = None

    def record(self, name: str) -> None:
        """Check one record and its files."""
        try:
            # All checks run inside, because a value of a wrong type is damage, too, wherever it
            # causes an error.
            with self.results.examine(name) as (found, row, stored):
                if stored is None:
                    self._add(name, ["the record has no digest"])
                elif stored != row.digest:
                    self._add(name, ["the record has changed since it was written (wrong digest)"])
                record = self.results.check_record(name, read_record(found))
                self.rows[name] = record.summary()
                self._check_record(name, record.to_memory(), row)
        except InputError:
            raise  # a given input is missing: not a fault of the record
        except AccessError as error:
            self.trouble(name, "the record", error)
        except OnnxcertError as error:
            self.findings.append(Finding(name, _to_clause(error)))

    def _check_record(self, name: str, record: Record, row: Row) -> None:
        if record.tally.draws.law_note:
            self._notes[record.tally.draws.law_note] = None
        self._add(name, find_contradictions(record, name, self.run))
        if self._unchecked_rules is not None:
            reason = explain_unchecked(record.decision.rule)
            if reason:
                self._unchecked_rules[reason] = self._unchecked_rules.get(reason, 0) + 1
            else:
                self._add(name, compare_with_statsmodels(record))
        for check in (self._model_check, self._input_check):
            self._add(name, _check_file(check, record))
        if isinstance(self.results, ResultStore):
            self._add(name, compare_label_files(self.results.folder, record))
            self._add(name, [self.results.check_index(name, row)])

    def _add(self, name: str, found: Iterable[str | None]) -> None:
        """Add the findings of one check; an unreadable file does not stop the other checks."""
        try:
            for text in found:
                if text:
                    self.findings.append(Finding(name, text))
        except AccessError as error:
            self.trouble(name, error.path, error)

    def result(self, records: int) -> Verification:
        """Return the result of all checks."""
        unchecked = (
            *_list_unchecked(self.results, self._model_check, self._input_check),
            *_describe_unchecked_rules(self._unchecked_rules or {}),
        )
        return Verification(
            records, tuple(self.findings), unchecked, tuple(self._notes), tuple(self._troubles)
        )


def _check_file(check: ModelCheck | InputCheck, record: Record) -> Iterator[str | None]:
    yield check.find_mismatch(record)


def _name_table(results: Results) -> str:
    return "the summary table" if isinstance(results, Pack) else "results.h5"


def _compare_table(
    results: Results, rows: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> Iterator[Finding]:
    """Compare the summary table with the records."""
    table = _name_table(results)
    try:
        listed = results.summary()
    except AccessError:
        raise
    except StoreError as error:
        yield Finding(table, _to_clause(error))
        return
    for name, row in (listed or {}).items():
        if name not in names:
            yield Finding(name, f"its record is missing, but {table} lists it")
        elif name in rows and row != rows[name]:
            wrong = [k for k in rows[name] if row.get(k) != rows[name][k]]
            yield Finding(name, f"{table} has a different {', '.join(wrong) or 'row'} for it")


def _list_unchecked(results: Results, models: ModelCheck, inputs: InputCheck) -> Iterator[str]:
    for path in sorted(models.missing):
        yield f"the model {path or '(without a name)'} does not exist here; give it with --model."
    if inputs.missing:
        yield (
            f"{len(inputs.missing)} inputs do not exist at their stored paths, such as "
            f"{inputs.missing[0]}; give them with --inputs."
        )
    yield from inputs.unreadable.values()
    if isinstance(results, ResultStore) and not (results.folder / "results.h5").exists():
        yield "results.h5 does not exist, so missing records cannot be detected."


def _describe_unchecked_rules(reasons: Mapping[str, int]) -> Iterator[str]:
    for reason, records in reasons.items():
        counted = "1 record was" if records == 1 else f"{records} records were"
        yield f"{reason}; {counted} checked by onnxcert alone."


def _to_clause(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
