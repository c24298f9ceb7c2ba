"""All checks over all records of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxcert.errors import InputError, OnnxcertError, StoreError
from onnxcert.store import Pack, Results, ResultStore
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
    folder the label files. Of the run: the summary table, which also tells when a record is gone.

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
    findings: list[Finding] = []
    try:
        run = results.run()
    except StoreError as error:
        run = None
        findings.append(Finding("run.json", _clause(error)))
    else:
        if not names and run is not None and not (results.summary() or {}):
            raise StoreError(
                f"no input in {results.path} is finished yet, and there is nothing to verify."
            )
        if run is None:
            if not names:
                raise StoreError(
                    f"there are no results in {results.path}; name a folder that onnxcert certify "
                    "wrote, or a file that onnxcert pack wrote."
                )
            findings.append(Finding("run.json", "it is missing"))
    models, pictures = ModelCheck(model), InputCheck(inputs)
    alone: dict[str, int] | None = {} if independent else None
    rows: dict[str, dict[str, Any]] = {}
    notes: dict[str, None] = {}
    for name in names:
        try:
            for text in _misfits(results, name, run, rows, models, pictures, notes, alone):
                findings.append(Finding(name, text))
        except InputError:
            raise  # something given is not there: no record is to blame
        except OnnxcertError as error:
            findings.append(Finding(name, _clause(error)))
        on_record()
    findings += _table_misfits(results, rows, names)
    unseen = (*_unchecked(results, models, pictures), *_only_by_ours(alone or {}))
    return Verification(len(names), tuple(findings), unseen, tuple(notes))


def _misfits(
    results: Results,
    name: str,
    run: Mapping[str, Any] | None,
    rows: dict[str, dict[str, Any]],
    models: ModelCheck,
    pictures: InputCheck,
    notes: dict[str, None],
    alone: dict[str, int] | None,
) -> Iterator[str]:
    stored, found = results.fingerprints(name)
    if stored is None:
        yield "the record carries no digest of itself"
    elif stored != found:
        yield "the record is not what was written, as its digest tells"
    # All inside, as a value of an unexpected kind is damage as well, wherever it first hurts.
    with results.open(name) as opened:
        record = opened.in_memory()
        rows[name] = record.summary()
        if record.draws.law_note:
            notes[record.draws.law_note] = None
        yield from record_misfits(record, name, run)
        if alone is not None:
            reason = unchecked(record.decision.rule)
            if reason:
                alone[reason] = alone.get(reason, 0) + 1
            else:
                yield from independent_misfits(record)
        for check in (models, pictures):
            text = check.misfit(record)
            if text is not None:
                yield text
        if isinstance(results, ResultStore):
            yield from label_file_misfits(results.folder, record)


def _table_misfits(
    results: Results, rows: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> Iterator[Finding]:
    """The summary table against the records it was derived from."""
    table = "the summary table" if isinstance(results, Pack) else "results.h5"
    try:
        listed = results.summary()
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
