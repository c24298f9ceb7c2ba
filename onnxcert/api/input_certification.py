"""One input of `onnxcert.certify`: plan its passes, count its draws, decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, final
from weakref import WeakKeyDictionary

from onnxcert._typing import IntArray
from onnxcert.api.certificate import CertifiedInput, InputCertificate
from onnxcert.api.inputs import ReadInput
from onnxcert.api.origin import make_provenance, name_classes
from onnxcert.errors import ModelError, ParameterError
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.batch_invariance import check_stateless, draw_warm_up
from onnxcert.model.tuning.execution_plan import ONE_DRAW_PLAN, ExecutionPlan, make_plan
from onnxcert.sampling import BatchLeak, Count, Segmenter, check_output, sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Tally, passes
from onnxcert.statistics.settings import Settings


@dataclass(eq=False)
class _Plans:
    """Execution plans of an opened model: (shape, settings) -> plan, and the inputs checked."""

    leaky: bool = False
    known: dict[tuple[Any, ...], ExecutionPlan] = field(default_factory=dict)
    checked: set[tuple[Any, ...]] = field(default_factory=set)


_STATE_ROWS: Final = 4  # noisy inputs that show whether a function keeps state
_PLANS: Final[WeakKeyDictionary[Segmenter, _Plans]] = WeakKeyDictionary()


@final
@dataclass(eq=False)
class InputCertification:
    """One input to certify.

    Args:
        model: the model.
        read: the input.
        settings: the statistical settings.
        seed: seed of the draws.
        batch_size: draws per pass; None for automatic.
        asked_classes: number of classes, if the user gave it.
        class_names: a name for each class; empty for those of the model.
    """

    model: Segmenter
    read: ReadInput
    settings: Settings
    seed: int
    batch_size: int | None
    asked_classes: int | None
    class_names: tuple[str, ...]

    def certify(self, on_batch: Callable[[Count], None]) -> InputCertificate:
        """Count the draws and decide; `on_batch` is called after every batch."""
        model, x = self.model, self.read.x
        clean = check_output(model(x[None]), 1)[0]
        self.classes, self.components = self._count_classes(), int(clean.size)
        settings, backend = self.settings, model.backend
        self.draws = Draws(settings.perturbation, self.seed, digest(x), backend.generator)
        self.law_error = self.draws.law_error(x.shape)
        settings.check_feasible(self.components, self.law_error)
        self.kind = self.read.kind(clean.shape, model)
        self._refuse_other_labels(clean)
        plan = self._plan()
        # Only a function can keep state between passes; an ONNX graph cannot.
        trial = None
        if not isinstance(model, OnnxSegmenter):
            trial = draw_warm_up(model, x, self.draws, _STATE_ROWS)
            before = check_stateless(model, trial)
        try:
            tally = self._count(plan, on_batch)
        except BatchLeak:
            _PLANS[model].leaky, plan = True, ONE_DRAW_PLAN
            tally = self._count(plan, on_batch)
        if trial is not None:
            check_stateless(model, trial, before)
        certificate = settings.decide(tally)
        if plan.warning:
            certificate = replace(certificate, notes=(*certificate.notes, plan.warning))
        names = name_classes(model, self.class_names, clean, self.classes)
        provenance = make_provenance(
            model,
            self.read,
            settings,
            self.draws,
            class_names=names,
            batch_size=plan.batch,
            warnings=[plan.warning] if plan.warning else [],
        )
        source = CertifiedInput(self.read.name, self.read.prepared, clean, names, provenance)
        return InputCertificate.of(certificate, source)

    def _refuse_other_labels(self, clean: IntArray) -> None:
        """Raise ModelError if a function predicts a label that is no class.

        The number of classes itself is the label of an invalid prediction.
        """
        if isinstance(self.model, OnnxSegmenter) or 0 <= clean.min() <= clean.max() <= self.classes:
            return
        raise ModelError(
            f"the labels must lie from 0 to {self.classes - 1} for {self.classes} classes, got "
            f"{clean.min()} to {clean.max()}; pass the right number of classes."
        )

    def _count_classes(self) -> int:
        known, classes = self.model.classes, self.asked_classes
        if known is not None and classes not in (None, known):
            raise ParameterError(f"classes must be the model's number of classes, got {classes}.")
        classes = known if classes is None else classes
        if classes is None:
            raise ParameterError("classes is needed; pass the number of classes of the callable.")
        return classes

    def _plan(self) -> ExecutionPlan:
        """Return the execution plan; the model is tuned and checked once for inputs like this.

        As in a run, the full check is for the first input of its shape and settings, and each
        further input gets the short one; so does the same input, unless the model is a file, which
        cannot have changed.
        """
        settings, model = self.settings, self.model
        plans = _PLANS.setdefault(model, _Plans())
        each = passes(settings.n, settings.n0, settings.selection)
        checked = settings.leak_check_draws(self.components, device=model.on_device)
        like = (self.read.x.shape, settings.perturbation, each, checked, self.batch_size)
        known, this = plans.known.get(like), (self.draws.digest, *like)
        unchanged = isinstance(model, OnnxSegmenter) and this in plans.checked
        if known is not None and not plans.leaky and unchanged:
            return known
        plan = make_plan(
            model,
            self.read.x,
            self.draws,
            each=each,
            inputs=1,
            checked=checked,
            batch_size=self.batch_size,
            known=known,
            leaky=plans.leaky,
        )
        plans.leaky |= plan.one_draw_per_pass
        plans.known.setdefault(like, plan)
        plans.checked.add(this)
        return plan

    def _count(self, plan: ExecutionPlan, on_batch: Callable[[Count], None]) -> Tally:
        """Count the votes."""
        settings, model, rows = self.settings, self.model, plan.batch.draws
        analysis = settings.interim_analysis()
        count = settings.count(
            self.draws, self.classes, self.components, model.backend, self.law_error
        )
        count.check = settings.make_leak_check(
            self.draws, self.components, rows=rows, device=model.on_device
        )
        count.unit, count.kind = self.read.unit, self.kind
        return sample(
            model,
            self.read.x,
            count,
            batch_size=rows,
            on_batch=on_batch,
            on_look=None if analysis is None else analysis.analyse,
        )
