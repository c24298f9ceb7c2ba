"""Re-decision: new certificates from stored votes, by another rule and without the model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from onnxcert.audit.sources import reread_truth
from onnxcert.errors import ParameterError, StoreError
from onnxcert.report.export.files import write_labels
from onnxcert.report.tables.summary import Summary, summarise
from onnxcert.results import Record, Results, ResultStore
from onnxcert.results.record import Provenance
from onnxcert.sampling.tally import Selection
from onnxcert.statistics import Family, check_combination, decide, resolve_looks
from onnxcert.statistics.post_hoc import RuleChange, find_post_hoc_changes
from onnxcert.statistics.rule import Rule

AGAIN = "decided_again"
UNLABELLED = (
    "the ground truth of some inputs is missing or has changed; their certified labels are not "
    "compared with it"
)


@dataclass(frozen=True, kw_only=True)
class ReDecision:
    """Stored results and a new rule for them.

    Attributes:
        results: the stored results; never written to.
        stored: the stored rule.
        rule: the new rule, with its post hoc choices (`hindsight`).
        fixed_beforehand: the user declares that the new rule was fixed before the votes were seen.
        inputs: names of all inputs of the run, finished or not.
    """

    results: Results
    stored: Rule
    rule: Rule
    fixed_beforehand: bool
    inputs: tuple[str, ...]

    @classmethod
    def of(
        cls, results: Results, change: RuleChange, *, fixed_beforehand: bool = False
    ) -> ReDecision:
        """Apply `change` to the rule of `results`, and find its post hoc choices.

        Raises:
            StoreError: there are no results, a record is damaged, or their rules differ.
            ParameterError: the change is not possible for these results.
        """
        names = results.names()
        rules: dict[tuple[Rule, Selection], str] = {}
        sizes: dict[tuple[int, int, float], None] = {}
        for name in names:
            with results.open(name, checked=True) as record:
                rules.setdefault((record.decision.rule, record.tally.selection), name)
                sizes[record.decision.components, record.tally.n0, record.tally.law_error] = None
        if not rules:
            raise StoreError(
                f"there are no results in {results.path}; give a folder that onnxcert certify "
                "wrote, or a file that onnxcert pack wrote."
            )
        if len(rules) > 1:
            first, second, *_ = rules.values()
            raise StoreError(
                f"the records {first} and {second} were decided by different rules; run onnxcert "
                "verify to see which one does not belong here."
            )
        ((stored, selection),) = rules
        # All inputs of the run, finished or not; these were fixed before any draw.
        listed = sorted({*(results.run() or {}).get("listed", ()), *names})
        rule = change.apply(stored, len(listed))
        check_combination(rule, selection)
        for components, _, law_error in sizes:
            Family.of(rule, components, selection, law_error)  # raises before anything is written
        # The declaration covers the new rule only; a level that was void before stays void.
        post_hoc = (
            stored.hindsight if fixed_beforehand else find_post_hoc_changes(stored, rule, selection)
        )
        return cls(
            results=results,
            stored=stored,
            rule=_keep_looks(rule, stored, selection, sizes).but(hindsight=post_hoc),
            fixed_beforehand=fixed_beforehand,
            inputs=tuple(listed),
        )

    @property
    def warning(self) -> str:
        """A warning about how the rule was selected; empty if there is none."""
        if self.rule.hindsight:
            several = len(self.rule.hindsight) > 1
            return (
                f"{' and '.join(self.rule.hindsight)} {'were' if several else 'was'} chosen after "
                "the votes had been counted, which voids the level; certify again with another "
                "--seed, or pass --fixed-beforehand if this was fixed before anybody saw the votes"
            )
        if self._is_declared:
            return (
                "decided again by another rule; the user declares that it was fixed before the "
                "votes were seen"
            )
        return ""

    @property
    def _is_declared(self) -> bool:
        """Whether the level relies on the user's declaration."""
        return self.fixed_beforehand and self.rule != self.stored

    def stored_summary(self) -> Summary:
        """Summarise the stored results."""
        return summarise(self.results.records(checked=True), **self._summary_inputs())

    def redecide(self, out: Path | None = None) -> Summary:
        """Decide all results by the new rule and summarise them.

        Args:
            out: new folder for the records, label files and `run.json`; None to write nothing.

        Raises:
            StoreError: `out` is not empty or cannot be written.
        """
        if out is None:
            return summarise(self._records(), **self._summary_inputs())
        try:
            taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
        except OSError as error:
            raise StoreError(
                f"results cannot be written to {out} ({error.strerror}); choose another folder "
                "with --out."
            ) from None
        if taken:
            raise StoreError(f"{out} is not empty; choose another folder with --out.")
        store = ResultStore(out)
        records = self._records()
        first = next(records)  # raises before anything is written
        with store.exclusive():
            self._begin(store, first)
            for record in chain([first], records):
                names = tuple(record.provenance.contract.get("class_names", ()))
                store.write(record, beside=partial(write_labels, store.folder, record, names))
            listed = self._summary_inputs()
            run = self.results.run() or {}
            store.note_inputs(run.get("listed") or store.names(), listed["skipped"])
            store.derive()
        return summarise(store.records(checked=True), **listed)

    def _begin(self, store: ResultStore, record: Record) -> None:
        parameters = {k: v for k, v in record.provenance.parameters.items() if k != "seed"}
        store.begin(parameters, seed=record.tally.draws.seed, random_seed=record.tally.draws.seed)

    def _summary_inputs(self) -> dict[str, Any]:
        """Return the arguments of `summarise` about inputs without a record."""
        run = self.results.run() or {}
        return {"listed": len(run.get("listed", ())), "skipped": run.get("skipped", {})}

    def _records(self) -> Iterator[Record]:
        """Yield each record with the same votes and the new certificate."""
        for name in self.results.names():
            yield self._redecide(self.results.read(name))

    def _redecide(self, record: Record) -> Record:
        truth = reread_truth(record)
        decided = Record.of(
            record.name,
            decide(record.tally, self.rule),
            clean=record.clean,
            nonrobust=record.nonrobust,
            truth=truth,
            ignore_label=record.provenance.parameters.get("ignore_label"),
            provenance=self._provenance(record),
        )
        if truth is None:
            # Confusion matrices of uncertified labels do not change.
            kept = {k: v for k, v in record.confusions.items() if not k.startswith("certified")}
            decided = replace(decided, confusions=kept)
            if len(kept) < len(record.confusions):
                decided = replace(decided, provenance=_add_warning(decided.provenance, UNLABELLED))
        return decided

    def _provenance(self, record: Record) -> Provenance:
        """Return the provenance of the votes with the parameters of the new rule."""
        old = record.provenance
        stored = record.settings(self.stored).as_dict()
        parameters = {name: value for name, value in old.parameters.items() if name not in stored}
        parameters |= record.settings(self.rule).as_dict()
        if self.rule.alpha_scope != self.stored.alpha_scope:
            parameters.pop("dataset", None)
            if self.rule.alpha_scope == "dataset":
                all_names = "\n".join(self.inputs)
                parameters["dataset"] = hashlib.sha256(all_names.encode()).hexdigest()
        if self.rule != self.stored:
            parameters[AGAIN] = {
                "stored": self.stored.as_dict(),
                "fixed_beforehand": self._is_declared,
                "before": old.parameters.get(AGAIN),
            }
        date = datetime.now(UTC).isoformat(timespec="seconds")
        return _add_warning(replace(old, parameters=parameters, date=date), self.warning)


def _keep_looks(
    rule: Rule, stored: Rule, selection: Selection, sizes: Iterable[tuple[int, int, float]]
) -> Rule:
    """Return `rule` with the interim looks of `stored`, if these were planned automatically.

    Args:
        rule: the new rule.
        stored: the stored rule.
        selection: selection of the candidate classes.
        sizes: number of components, n0 and law error of each input.

    Raises:
        ParameterError: inputs of different sizes have different looks.
    """
    schedule = stored.schedule
    if schedule is None or schedule.looks is not None or rule.but(hindsight=()) == stored:
        return rule
    planned = {
        resolve_looks(schedule, Family.of(stored, components, selection, law_error), n0)
        for components, n0, law_error in sizes
    }
    if len(planned) > 1:
        raise ParameterError(
            "these inputs have different sizes and so different automatic looks, for which the "
            "rule cannot be changed; certify again with a list of --looks."
        )
    return rule.but(schedule=replace(schedule, looks=planned.pop()))


def _add_warning(provenance: Provenance, warning: str) -> Provenance:
    """Return `provenance` with `warning` added, unless it is empty or there already."""
    known = provenance.environment.get("warnings", ())
    warnings = [*known, *([warning] if warning and warning not in known else [])]
    return replace(provenance, environment={**provenance.environment, "warnings": warnings})
