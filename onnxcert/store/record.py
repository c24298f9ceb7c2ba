"""One finished input, in memory or backed by its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, Self

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.decision import decide
from onnxcert.draws import Draws
from onnxcert.metrics import Curve, confusion, curve, on_grid
from onnxcert.result import Certificate, Ended, Provenance, Selection, Tally
from onnxcert.rule import Rule
from onnxcert.statement import Controls

ARRAYS: Final = ("candidate", "hits", "single", "labels", "level", "levels", "radii", "clean")
OPTIONAL_ARRAYS: Final = ("path", "runner_up", "nonrobust")


class Array(Protocol):
    """What `numpy.ndarray` and `h5py.Dataset` have in common."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, key: Any, /) -> Any: ...


@dataclass(frozen=True)
class Decision:
    """What was decided from a tally, and by which rule; one entry for each tau of the rule.

    Attributes:
        rule: what was asked.
        controls: what the correction controls.
        components: N.
        thresholds: hits from which a component is certified.
        abstained: components that are not certified.
        radius: size of the attack ruled out.
        own_radius: the radius where it does not follow from tau, else None.
        statement, notes: in words.
    """

    rule: Rule
    controls: Controls
    components: int
    thresholds: tuple[int, ...]
    abstained: tuple[int, ...]
    radius: tuple[float, ...]
    own_radius: float | None
    statement: str
    notes: tuple[str, ...]

    @classmethod
    def of(cls, certificate: Certificate) -> Self:
        """What `certificate` says, without its arrays."""
        taus = certificate.rule.taus
        components = certificate.tally.components
        return cls(
            rule=certificate.rule,
            controls=certificate.controls,
            components=components,
            thresholds=certificate.thresholds,
            abstained=tuple(
                components - int(np.count_nonzero(certificate.certified_at(tau))) for tau in taus
            ),
            radius=tuple(certificate.radius_at(tau) for tau in taus),
            own_radius=certificate.own_radius,
            statement=certificate.statement(),
            notes=certificate.notes,
        )

    @property
    def tau(self) -> float:
        """The rule's first tau."""
        return self.rule.tau


@dataclass(frozen=True, eq=False)
class Record:
    """Everything kept of one input.

    Attributes:
        candidate, hits, single, n, n0, selection, classes, nonfinite, draws, unit, kind, looks,
            path, ended, joint, runner_up, law_error, leak_check: the tally.
        labels: classes certified at the rule's first tau, ABSTAIN where there is none.
        level: the tau each component is certified at, 0 for none; levels: these tau, ascending;
            radii: their radii. See `onnxcert.result.Certificate`.
        clean: labels without noise; `nonrobust`: those of the other model, if any.
        confusions: row name -> confusion matrix [classes, classes + 1], if there were labels.
        curve: certified and correct against the radius.
    """

    name: str
    candidate: Array
    hits: Array
    single: Array
    n: int
    n0: int
    selection: Selection
    classes: int
    nonfinite: int
    draws: Draws
    unit: str
    kind: str
    looks: tuple[int, ...]
    path: Array | None
    ended: Ended
    joint: int | None
    runner_up: Array | None
    labels: Array
    level: Array
    levels: Array
    radii: Array
    decision: Decision
    clean: Array
    nonrobust: Array | None
    provenance: Provenance
    curve: Curve
    leak_check: str = ""
    confusions: Mapping[str, Array] = field(default_factory=dict)
    law_error: float = 0.0

    @classmethod
    def of(
        cls,
        name: str,
        certificate: Certificate,
        *,
        clean: Array,
        nonrobust: Array | None,
        truth: IntArray | None = None,
        ignore_label: int | None = None,
        provenance: Provenance,
    ) -> Self:
        """The record of a certificate just decided.

        Args:
            clean: labels without noise; nonrobust: those of the other model, if any.
            truth: true classes, or None; integers [H, W] of the picture, or [*grid].
            ignore_label: truth that does not count, or None.
        """
        tally = certificate.tally
        rows: dict[str, Array | None] = {
            "clean": clean,
            "noisy": tally.single,
            "nonrobust": nonrobust,
            "certified": certificate.labels,
        }
        for tau in certificate.rule.more_taus:
            rows[certified_row(tau)] = certificate.labels_at(tau)
        return cls(
            name=name,
            candidate=tally.candidate,
            hits=tally.hits,
            single=tally.single,
            n=tally.n,
            n0=tally.n0,
            selection=tally.selection,
            classes=tally.classes,
            nonfinite=tally.nonfinite,
            draws=tally.draws,
            unit=tally.unit,
            kind=tally.kind,
            looks=tally.looks,
            path=tally.path,
            ended=tally.ended,
            joint=tally.joint,
            runner_up=tally.runner_up,
            law_error=tally.law_error,
            leak_check=tally.leak_check,
            labels=certificate.labels,
            level=certificate.level,
            levels=certificate.levels,
            radii=certificate.level_radii,
            decision=Decision.of(certificate),
            clean=clean,
            nonrobust=nonrobust,
            provenance=provenance,
            curve=curve(
                certificate.level_radii,
                certificate.level,
                tally.candidate,
                None if truth is None else on_grid(truth, tally.candidate.shape),
                classes=tally.classes,
                ignore_label=ignore_label,
            ),
            confusions={}
            if truth is None
            else {
                row: confusion(
                    on_grid(truth, labels.shape),
                    np.asarray(labels[...]),
                    classes=tally.classes,
                    ignore_label=ignore_label,
                )
                for row, labels in rows.items()
                if labels is not None
            },
        )

    def tally(self) -> Tally:
        """The votes, in memory."""
        return Tally(
            candidate=self.candidate[...],
            hits=self.hits[...],
            single=self.single[...],
            n=self.n,
            n0=self.n0,
            selection=self.selection,
            classes=self.classes,
            nonfinite=self.nonfinite,
            draws=self.draws,
            unit=self.unit,
            kind=self.kind,
            looks=self.looks,
            path=None if self.path is None else self.path[...],
            ended=self.ended,
            joint=self.joint,
            runner_up=None if self.runner_up is None else self.runner_up[...],
            law_error=self.law_error,
            leak_check=self.leak_check,
        )

    def certificate(self) -> Certificate:
        """The certificate, decided again from the tally; no model is needed."""
        return decide(self.tally(), self.decision.rule)

    def in_memory(self) -> Self:
        """The same record with every array read."""
        read: dict[str, Any] = {name: getattr(self, name)[...] for name in ARRAYS}
        for name in OPTIONAL_ARRAYS:
            array = getattr(self, name)
            read[name] = None if array is None else array[...]
        return replace(
            self,
            **read,
            confusions={row: matrix[...] for row, matrix in self.confusions.items()},
        )

    def summary(self) -> dict[str, Any]:
        """One row of the summary table."""
        return {
            "name": self.name,
            "components": self.decision.components,
            "abstained": self.decision.abstained[0],
            "nonfinite": self.nonfinite,
            "radius": self.decision.radius[0],
            "threshold": self.decision.thresholds[0],
            "n": self.n,
        }


def certified_row(tau: float) -> str:
    """Name of the confusion matrix of what is certified at a further tau."""
    return f"certified tau={tau!r}"
