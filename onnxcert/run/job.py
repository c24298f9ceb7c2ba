"""One input of a run: check it, count its draws, decide, and store the result."""

from __future__ import annotations

from functools import partial
from typing import Any, final

from onnxcert._typing import FloatArray, IntArray
from onnxcert.data import Item
from onnxcert.errors import ModelError, ParameterError, StoreError
from onnxcert.model.segmenter import resolve_class_names
from onnxcert.model.tuning.execution_plan import ONE_DRAW_PLAN, ExecutionPlan
from onnxcert.report.export.files import has_figure, has_labels, write_labels
from onnxcert.report.figures.plotting import load_matplotlib
from onnxcert.results import Record
from onnxcert.run.checkpointed_count import CheckpointedCount
from onnxcert.run.compatibility import check_same_outputs, check_stored_record
from onnxcert.run.context import RunContext
from onnxcert.run.provenance import collect_provenance
from onnxcert.run.workers.worker import CleanOutputs, MakePlan, clean_labels
from onnxcert.sampling import BatchLeak
from onnxcert.sampling.backend import NUMPY
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Tally


@final
class CertificationJob:
    """The processing of one input.

    Args:
        context: what the jobs of the run share.
        item: the input.
        prepared: its content, see `onnxcert.run.modality`.
        x: the array that is perturbed.
        same_size: number of inputs of the run with this size.

    Raises:
        ParameterError: the perturbation cannot be applied to `x`.
    """

    def __init__(
        self, context: RunContext, item: Item, prepared: Any, x: FloatArray, *, same_size: int
    ) -> None:
        self.context, self.item, self.prepared, self.x = context, item, prepared, x
        self.name, self.same_size = item.name, same_size
        perturbation = context.settings.perturbation
        try:
            perturbation.check(x)  # before any worker receives it
        except ParameterError as error:
            raise ParameterError(f"{item.path}: {error}") from None
        self.draws = Draws(perturbation, context.seed, digest(x), context.runtime.generator)
        self.law_error = self.draws.law_error(x.shape)

    def is_done(self) -> bool:
        """Return whether the input is done; if so, rewrite missing label files and figures.

        Raises:
            StoreError: the input has changed since, or another run made the record.
        """
        store = self.context.store
        if self.name not in store:
            return False
        with store.open(self.name, checked=True) as record:
            self._check_stored(record)
            done = record.tally.ended != "interrupted"
        if done:
            store.remove_checkpoint(self.name)  # left if the run was killed after its last write
        return done

    def _check_stored(self, record: Record) -> None:
        context = self.context
        folder, modality = context.store.folder, context.modality
        # Class names given now, or else those in the record.
        names = context.class_names or tuple(record.provenance.contract["class_names"])
        classes = record.tally.classes
        truth = modality.truth(self.item, self.prepared, classes=classes, names=names)
        check_stored_record(
            context.store,
            record,
            self.item,
            input_digest=self.draws.digest,
            truth=truth,
            category=modality.category(self.prepared),
            parameters={**context.parameters, "seed": context.seed},
        )
        if not has_labels(folder, record):
            write_labels(folder, record, names)
        if context.pictures and not has_figure(folder, self.name):
            self._draw(record.to_memory(), truth, names)

    def count_here(self) -> str:
        """Certify the input in this process; return why its count ended, see `Tally.ended`."""
        context = self.context
        try:
            labels = clean_labels(context.segmenter, context.nonrobust, self.x, self.nonrobust_x)
        except ModelError as error:
            context.skip(self.name, str(error))
            return ""
        self.accept_labels(*labels)
        context.progress.advance(self.name, 0)
        try:
            with context.clock.measure("startup"):
                plan = self.plan_task().plan(context.segmenter, self.x, labels[0])
            if plan.one_draw_per_pass:
                context.handle_leak()
            context.plans.known.setdefault(self.x.shape, plan)
            tally = self.start_count(plan).count_remaining(self.x)
        except BatchLeak:
            context.handle_leak()
            plan = ONE_DRAW_PLAN
            tally = self.start_count(plan).count_remaining(self.x)
        self.finish(tally, plan)
        return tally.ended

    def plan_task(self) -> MakePlan:
        """Return the task that labels the input and plans the execution of its draws."""
        context = self.context
        return MakePlan(
            self.draws,
            context.settings,
            inputs=self.same_size,
            batch_size=context.batch_size,
            known=context.plans.known.get(self.x.shape),
            one_draw_per_pass=context.plans.leaky,
        )

    def accept_outputs(self, outputs: CleanOutputs) -> None:
        """Take what a worker found out with `plan_task`; see `accept_labels`."""
        context = self.context
        context.segmenter.update_contract(outputs.contract)
        if context.nonrobust is not None and outputs.other_contract is not None:
            context.nonrobust.update_contract(outputs.other_contract)
        self.accept_labels(outputs.clean, outputs.nonrobust)

    def accept_labels(self, clean: IntArray, nonrobust: IntArray | None) -> None:
        """Take the labels without noise, and check everything that depends on them.

        Args:
            clean: labels of the model.
            nonrobust: labels of the non-robust model, or None.

        Raises:
            OnnxcertError: class names, ground truth, the non-robust model or n do not fit.
        """
        context, model = self.context, self.context.segmenter
        self.clean, self.nonrobust = clean, nonrobust
        self.names = resolve_class_names(model, context.class_names, clean.shape)
        check_same_outputs(model, context.nonrobust, has_ground_truth=context.parameters["labels"])
        if not model.component.is_input_element:
            context.settings.check_feasible(clean.size, self.law_error)
        self.truth = context.modality.truth(
            self.item, self.prepared, classes=model.classes, names=self.names
        )

    @property
    def nonrobust_x(self) -> FloatArray | None:
        """The input array of the non-robust model, or None."""
        other = self.context.nonrobust
        return None if other is None else other.to_array(self.prepared)

    def start_count(self, plan: ExecutionPlan) -> CheckpointedCount:
        """Start the count of the draws, or resume it from its checkpoint."""
        context, model, settings = self.context, self.context.segmenter, self.context.settings
        backend = NUMPY if context.workers else model.backend  # workers send NumPy arrays
        device = context.runtime.device != "cpu" if context.workers else model.on_device
        components, rows = int(self.clean.size), plan.batch.draws
        count = settings.count(self.draws, model.classes, components, backend, self.law_error)
        checks = [
            settings.make_leak_check(self.draws, components, rows=r, device=device)
            for r in (rows, 2 if rows == 1 else 1)
        ]
        count.check = checks[0]
        count.unit, count.kind = model.unit, str(model.component)
        context.progress.listener.report_batch_size(
            rows, f"{plan.batch.why}; {checks[0].cost(count.total)}"
        )
        return CheckpointedCount(
            context, self.name, count, plan, checks[:1] if plan.one_draw_per_pass else checks
        )

    def finish(self, tally: Tally, plan: ExecutionPlan) -> None:
        """Decide, and write the record, label files and figure."""
        context = self.context
        folder, store, modality = context.store.folder, context.store, context.modality
        notes = (context.runtime.note, plan.warning, *modality.notes(self.prepared))
        record = Record.of(
            self.name,
            context.settings.decide(tally),
            clean=self.clean,
            nonrobust=self.nonrobust,
            truth=self.truth,
            ignore_label=context.ignore_label,
            provenance=collect_provenance(
                context,
                class_names=self.names,
                item=self.item,
                truth=self.truth,
                draws=self.draws,
                batch_size=plan.batch,
                category=modality.category(self.prepared),
                warnings=[note for note in notes if note],
            ),
        )
        write_label_files = partial(write_labels, folder, record, self.names)

        def write_all_files() -> None:
            write_label_files()
            self._draw(record, self.truth, self.names)

        try:
            store.write(record, beside=write_all_files if context.pictures else write_label_files)
        except StoreError as error:
            if not context.pictures:
                raise
            store.write(record, beside=write_label_files)  # the disk may have space without it
            context.figures.note(f"the picture of {self.name}", error)
        context.progress.end(self.name, stored=True)

    def _draw(self, record: Record, truth: IntArray | None, names: tuple[str, ...]) -> None:
        context, folder = self.context, self.context.store.folder
        drawing = context.figures.drawing(f"the picture of {self.name}")
        with context.clock.measure("report"), drawing:
            load_matplotlib(folder)
            context.modality.draw(folder, record, self.prepared, truth, names)
