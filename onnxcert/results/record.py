"""The record of one finished input, in memory or backed by its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, Self

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.metrics.scores import Curve, confusion, curve, resample_labels
from onnxcert.results.provenance import Provenance
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Ended, Selection, Tally
from onnxcert.statistics import decide
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.correction.base import Controls
from onnxcert.statistics.rule import Rule

ARRAYS: Final = ("candidate", "hits", "single", "labels", "level", "levels", "radii", "clean")
OPTIONAL_ARRAYS: Final = ("path", "runner_up", "nonrobust")


class Array(Protocol):
    """The common interface of `numpy.ndarray` and `h5py.Dataset`."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, key: Any, /) -> Any: ...


@dataclass(frozen=True)
class Decision:
    """The decision on a tally; tuples have one entry for each tau of the rule.

    Attributes:
        rule: the decision rule.
        controls: error rate that the correction controls.
        components: N.
        thresholds: smallest number of hits that certifies a component.
        abstained: number of components that are not certified.
        radius: certified radius.
        own_radius: the radius if it does not follow from tau, else None.
        statement: the guarantee as text.
        notes: remarks as text.
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
        """Return the decision of `certificate`, without its arrays."""
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
    """Everything stored of one input.

    The fields of the tally are candidate, hits, single, n, n0, selection, classes, nonfinite,
    draws, unit, kind, looks, path, ended, joint, runner_up, law_error and leak_check.

    Attributes:
        labels: classes certified at the rule's first tau, ABSTAIN elsewhere.
        level: number of `levels` at which each component is certified, 0 for none.
        levels: values of tau, ascending; see `onnxcert.statistics.certificate.Certificate`.
        radii: certified radius of each level.
        clean: labels without noise.
        nonrobust: labels of the non-robust model without noise, or None.
        confusions: row name -> confusion matrix [classes, classes + 1], if there were labels.
        curve: number of certified and correct components against the radius.
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
        """Return the record of a new certificate.

        Args:
            name: name of the input.
            certificate: the certificate.
            clean: labels without noise.
            nonrobust: labels of the non-robust model without noise, or None.
            truth: ground truth, or None; integers [H, W] of the image, or [*grid].
            ignore_label: ground truth value to ignore, or None.
            provenance: origin of the result.
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
                None if truth is None else resample_labels(truth, tally.candidate.shape),
                classes=tally.classes,
                ignore_label=ignore_label,
            ),
            confusions={}
            if truth is None
            else {
                row: confusion(
                    resample_labels(truth, labels.shape),
                    np.asarray(labels[...]),
                    classes=tally.classes,
                    ignore_label=ignore_label,
                )
                for row, labels in rows.items()
                if labels is not None
            },
        )

    def tally(self) -> Tally:
        """Return the votes, in memory."""
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
        """Compute the certificate again from the tally; no model is needed."""
        return decide(self.tally(), self.decision.rule)

    def to_memory(self) -> Self:
        """Return the record with all arrays in memory."""
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
        """Return the row of the summary table."""
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
    """Return the name of the confusion matrix of a further tau."""
    return f"certified tau={tau!r}"
