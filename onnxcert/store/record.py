"""One finished input, in memory or backed by its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from onnxcert.decision import decide
from onnxcert.draws import Draws
from onnxcert.result import AlphaScope, Certificate, Provenance, Selection, Tally


class Array(Protocol):
    """What `numpy.ndarray` and `h5py.Dataset` have in common."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, key: Any, /) -> Any: ...


@dataclass(frozen=True)
class Decision:
    """What was decided from a tally, and with which settings."""

    tau: float
    alpha: float
    alpha_scope: AlphaScope
    inputs: int
    correction: str
    threshold: int
    components: int
    abstained: int
    radius: float
    statement: str
    notes: tuple[str, ...]

    @classmethod
    def of(cls, certificate: Certificate) -> Self:
        """What `certificate` says, without its arrays."""
        return cls(
            tau=certificate.tau,
            alpha=certificate.alpha,
            alpha_scope=certificate.alpha_scope,
            inputs=certificate.inputs,
            correction=certificate.correction,
            threshold=certificate.threshold,
            components=certificate.labels.size,
            abstained=certificate.abstained,
            radius=certificate.radius,
            statement=certificate.statement(),
            notes=certificate.notes,
        )


@dataclass(frozen=True, eq=False)
class Record:
    """Everything kept of one input.

    Attributes:
        candidate, hits, single, n, n0, selection, classes, nonfinite, draws, unit, kind: the tally.
        labels: certified classes, ABSTAIN where there is none.
        clean: labels without noise; `nonrobust`: those of the other model, if any.
        confusions: row name -> confusion matrix [classes, classes + 1], if there were labels.
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
    labels: Array
    decision: Decision
    clean: Array
    nonrobust: Array | None
    provenance: Provenance
    confusions: Mapping[str, Array] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        certificate: Certificate,
        *,
        clean: Array,
        nonrobust: Array | None,
        confusions: Mapping[str, Array],
        provenance: Provenance,
    ) -> Self:
        """The record of a certificate just decided."""
        tally = certificate.tally
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
            labels=certificate.labels,
            decision=Decision.of(certificate),
            clean=clean,
            nonrobust=nonrobust,
            provenance=provenance,
            confusions=confusions,
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
        )

    def certificate(self) -> Certificate:
        """The certificate, decided again from the tally; no model is needed."""
        asked = self.decision
        return decide(
            self.tally(),
            tau=asked.tau,
            alpha=asked.alpha,
            correction=asked.correction,
            alpha_scope=asked.alpha_scope,
            inputs=asked.inputs,
        )

    def in_memory(self) -> Self:
        """The same record with every array read."""
        arrays = {
            name: getattr(self, name)[...]
            for name in ("candidate", "hits", "single", "labels", "clean")
        }
        return replace(
            self,
            **arrays,
            nonrobust=None if self.nonrobust is None else self.nonrobust[...],
            confusions={row: matrix[...] for row, matrix in self.confusions.items()},
        )

    def summary(self) -> dict[str, Any]:
        """One row of the summary table."""
        return {
            "name": self.name,
            "components": self.decision.components,
            "abstained": self.decision.abstained,
            "nonfinite": self.nonfinite,
            "radius": self.decision.radius,
            "threshold": self.decision.threshold,
            "n": self.n,
        }
