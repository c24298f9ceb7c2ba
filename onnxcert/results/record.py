"""The record of one finished input, in memory or backed by its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.metrics.scores import Curve, confusion, curve, resample_labels
from onnxcert.sampling import ONE_DRAW
from onnxcert.sampling.tally import Tally, read_arrays
from onnxcert.statistics import decide
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.correction.base import Controls
from onnxcert.statistics.guarantee_summary import summarise_guarantee
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.settings import Settings


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


@dataclass(frozen=True)
class Provenance:
    """The origin of a result: enough to repeat it and to detect a changed model or input.

    Attributes:
        model: name and SHA-256 of the model file.
        contract: the contract as JSON, and the source of each field.
        input: name, path and SHA-256 of the decoded input.
        parameters: the requested values, by long option name.
        environment: versions, provider, device, threads.
        date: when the result was finished, ISO 8601, UTC.
    """

    model: dict[str, str]
    contract: dict[str, Any]
    input: dict[str, str]
    parameters: dict[str, Any]
    environment: dict[str, Any]
    date: str


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """Everything stored of one input; its arrays may still be in the file (`h5py.Dataset`).

    Attributes:
        tally: the votes; if they are still in the file, `Tally.to_memory` checks them.
        decision: the decision on the tally.
        labels: classes certified at the rule's first tau, ABSTAIN elsewhere.
        level: number of `levels` at which each component is certified, 0 for none.
        levels: values of tau, ascending; see `onnxcert.statistics.certificate.Certificate`.
        radii: certified radius of each level.
        curve: number of certified and correct components against the radius.
        clean: labels without noise.
        nonrobust: labels of the non-robust model without noise, or None.
        provenance: origin of the result.
        confusions: row name -> confusion matrix [classes, classes + 1], if there were labels.
    """

    name: str
    tally: Tally
    decision: Decision
    labels: Array
    level: Array
    levels: Array
    radii: Array
    curve: Curve
    clean: Array
    nonrobust: Array | None
    provenance: Provenance
    confusions: Mapping[str, Array] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"<record of {self.name}: {self.tally.components:,} components, {self.tally.n} draws>"
        )

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
            tally=tally,
            decision=Decision.of(certificate),
            labels=certificate.labels,
            level=certificate.level,
            levels=certificate.levels,
            radii=certificate.level_radii,
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

    @property
    def guarantee(self) -> str:
        """The guarantee in one line, and on the next one its stored exact wording."""
        tally, decision = self.tally, self.decision
        line = summarise_guarantee(
            rule=decision.rule,
            controls=decision.controls,
            perturbation=tally.perturbation,
            unit=tally.unit,
            components=decision.components,
            kind=tally.kind,
            radius=decision.own_radius,
            radii=self.curve.radius_range,
        )
        return f"{line}\n{decision.statement}"

    def certificate(self) -> Certificate:
        """Compute the certificate again from the tally; no model is needed."""
        return decide(self.tally.to_memory(), self.decision.rule)

    def to_memory(self) -> Self:
        """Return the record with all arrays in memory.

        Raises:
            ParameterError: the votes are impossible, e.g. more hits than draws.
        """
        return replace(
            self,
            **read_arrays(self),
            tally=self.tally.to_memory(),
            confusions={row: matrix[...] for row, matrix in self.confusions.items()},
        )

    @property
    def batched(self) -> bool:
        """Whether draws may have shared a forward pass; then the model must be batch-invariant."""
        if self.tally.leak_check:
            return self.tally.leak_check != ONE_DRAW
        # Earlier versions did not store the check.
        return bool(self.provenance.environment.get("batch_size") != 1)

    def settings(self, rule: Rule) -> Settings:
        """Return the settings of these votes with their own or another rule.

        Raises:
            ParameterError: the rule is invalid for these votes.
        """
        return Settings(
            perturbation=self.tally.draws.perturbation,
            n=self.tally.n if rule.schedule is None else rule.schedule.n,
            n0=self.tally.n0,
            selection=self.tally.selection,
            rule=rule,
        )

    def summary(self) -> dict[str, Any]:
        """Return the row of the summary table."""
        return {
            "name": self.name,
            "components": self.decision.components,
            "abstained": self.decision.abstained[0],
            "nonfinite": self.tally.nonfinite,
            "radius": self.decision.radius[0],
            "threshold": self.decision.thresholds[0],
            "n": self.tally.n,
        }


def certified_row(tau: float) -> str:
    """Return the name of the confusion matrix of a further tau."""
    return f"certified tau={tau!r}"
