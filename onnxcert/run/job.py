"""One input of a run: check it, count its draws, decide, and store the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from onnxcert._typing import FloatArray, IntArray
from onnxcert.data import Item
from onnxcert.errors import ParameterError, StoreError
from onnxcert.model.segmenter import resolve_class_names
from onnxcert.model.tuning.execution_plan import ExecutionPlan
from onnxcert.report.export.files import has_figure, write_labels
from onnxcert.report.figures.matplotlib import load_matplotlib
from onnxcert.results import Record
from onnxcert.results.checkpointed_count import CheckpointedCount
from onnxcert.run.compatibility import check_same_outputs, check_stored_record
from onnxcert.run.provenance import collect_provenance
from onnxcert.run.run_parameters import hash_parameters
from onnxcert.sampling.backend import NUMPY
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Tally

if TYPE_CHECKING:
    from onnxcert.run.run import Run


@final
class CertificationJob:
    """The processing of one input.

    Args:
        run: the run.
        item: the input.
        prepared: its content, see `onnxcert.run.modality.Modality`.
        x: the array that is perturbed.
        same_size: number of inputs of the run with this size.
    """

    def __init__(
        self, run: Run, item: Item, prepared: Any, x: FloatArray, *, same_size: int
    ) -> None:
        assert run.seed is not None
        self.same_size = same_size
        self.run, self.item, self.prepared, self.x = run, item, prepared, x
        self.name = item.name
        try:
            run.settings.perturbation.check(x)  # before any worker receives it
        except ParameterError as error:
            raise ParameterError(f"{item.path}: {error}") from None
        self.draws = Draws(run.settings.perturbation, run.seed, digest(x), run.runtime.generator)
        self.law_error = self.draws.law_error(x.shape)

    def is_done(self) -> bool:
        """Return whether the input is done; if so, rewrite missing label files and figures.

        Raises:
            StoreError: the input has changed since, or another run made the record.
        """
        store = self.run.store
        if self.name not in store:
            return False
        with store.open(self.name, checked=True) as record:
            self._check_stored(record)
            done = record.tally.ended != "interrupted"
        if done:
            store.remove_checkpoint(self.name)  # left if the run was killed after its last write
        return done

    def _check_stored(self, record: Record) -> None:
        run = self.run
        # Class names given now, or else those in the record.
        names = run.class_names or tuple(record.provenance.contract["class_names"])
        truth = run.modality.truth(
            self.item, self.prepared, classes=record.tally.classes, names=names
        )
        check_stored_record(
            run.store,
            record,
            self.item,
            input_digest=self.draws.digest,
            truth=truth,
            category=run.modality.category(self.prepared),
            parameters={**run.parameters, "seed": run.seed},
        )
        if not run.modality.has_labels(run.store.folder, self.name):
            write_labels(run.store.folder, record, names)
        if run.pictures and not has_figure(run.store.folder, self.name):
            self._draw(record.to_memory(), truth, names)

    def accept_labels(self, clean: IntArray, nonrobust: IntArray | None) -> None:
        """Take the labels without noise, and check everything that depends on them.

        Args:
            clean: labels of the model.
            nonrobust: labels of the non-robust model, or None.

        Raises:
            OnnxcertError: class names, ground truth, the non-robust model or n do not fit.
        """
        run = self.run
        self.clean, self.nonrobust = clean, nonrobust
        self.names = resolve_class_names(run.segmenter, run.class_names, clean.shape)
        check_same_outputs(run.segmenter, run.nonrobust, has_ground_truth=run.has_ground_truth)
        if not run.parts_are_components:
            run.settings.check_feasible(clean.size, self.law_error)
        self.truth = run.modality.truth(
            self.item, self.prepared, classes=run.segmenter.classes, names=self.names
        )

    @property
    def nonrobust_x(self) -> FloatArray | None:
        """The input array of the non-robust model, or None."""
        other = self.run.nonrobust
        return None if other is None else other.to_array(self.prepared)

    @property
    def on_device(self) -> bool:
        """Whether the model runs on a GPU."""
        run = self.run
        return run.runtime.device != "cpu" or (run.crew is None and run.segmenter.on_device)

    def count_draws(self, plan: ExecutionPlan) -> Tally:
        """Count the draws in this process and return the tally.

        Raises:
            BatchLeak: the batch-invariance check failed.
        """
        run, count = self.run, self.start_count(plan)
        return count.count_remaining(run.segmenter, self.x, plan.batch.draws, lambda: run.stopping)

    def start_count(self, plan: ExecutionPlan) -> CheckpointedCount:
        """Start the count of the draws, or resume it from its checkpoint."""
        run, model = self.run, self.run.segmenter
        backend = model.backend if run.crew is None else NUMPY  # workers send NumPy arrays
        self.plan = plan
        components, rows = int(self.clean.size), plan.batch.draws
        count = run.settings.count(self.draws, model.classes, components, backend, self.law_error)
        checks = [
            run.settings.make_leak_check(self.draws, components, rows=r, device=self.on_device)
            for r in (rows, *([2] if rows == 1 else [1]))
        ]
        count.check = checks[0]
        run.watcher.report_batch_size(rows, f"{plan.batch.why}; {checks[0].cost(count.total)}")
        return CheckpointedCount(
            store=run.store,
            name=self.name,
            count=count,
            runtime={
                "provider": run.runtime.provider,
                "onnxruntime": run.runtime.version,
                "one_draw_per_pass": str(plan.one_draw_per_pass),
                "asked": hash_parameters(run.parameters),
            },
            other_checks=() if plan.one_draw_per_pass else tuple(checks[1:]),
            unit=model.unit,
            kind=model.components,
            checkpoint_seconds=run.checkpoint_seconds,
            interim_analysis=run.settings.interim_analysis(),
            on_draws=lambda done: run.report_progress(self.name, done),
            on_look=lambda forecast: run.watcher.report_status(forecast.describe()),
        )

    def finish(self, tally: Tally) -> None:
        """Decide, and write the record, label files and figure."""
        run = self.run
        certificate = run.settings.decide(tally)
        notes = (run.runtime.note, self.plan.warning, *run.modality.notes(self.prepared))
        record = Record.of(
            self.name,
            certificate,
            clean=self.clean,
            nonrobust=self.nonrobust,
            truth=self.truth,
            ignore_label=run.ignore_label,
            provenance=collect_provenance(
                run.segmenter,
                run.runtime,
                class_names=self.names,
                item=self.item,
                truth=self.truth,
                draws=self.draws,
                parameters=run.parameters,
                batch_size=self.plan.batch,
                category=run.modality.category(self.prepared),
                workers="" if run.crew is None else run.crew.described,
                warnings=[note for note in notes if note],
            ),
        )

        def write_label_files() -> None:
            write_labels(run.store.folder, record, self.names)

        def write_all_files() -> None:
            write_label_files()
            self._draw(record, self.truth, self.names)

        if not run.pictures:
            run.store.write(record, beside=write_label_files)
            return
        try:
            run.store.write(record, beside=write_all_files)
        except StoreError as error:  # the disk may have space without the figure
            run.store.write(record, beside=write_label_files)
            run.figures.note(f"the picture of {self.name}", error)

    def _draw(self, record: Record, truth: IntArray | None, names: tuple[str, ...]) -> None:
        run = self.run
        drawing = run.figures.drawing(f"the picture of {self.name}")
        with run.clock.measure("report"), drawing:
            load_matplotlib(run.store.folder)
            run.modality.draw(run.store.folder, record, self.prepared, truth, names)
