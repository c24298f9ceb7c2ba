"""A run over many inputs, in this process or by workers; it resumes after a stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from onnxcert.data import Item, Listing, Shard
from onnxcert.errors import InputError, ModelError, refuse_too_many_files
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.environment import Runtime
from onnxcert.model.tuning.execution_plan import ONE_DRAW_PLAN, Autotuner
from onnxcert.report.figures.best_effort import BestEffort
from onnxcert.report.figures.curve import write_summary_curve
from onnxcert.report.tables.summary import Summary, summarise
from onnxcert.results import ResultStore
from onnxcert.results.checkpointed_count import CheckpointedCount
from onnxcert.run.compatibility import check_same_inputs
from onnxcert.run.job import CertificationJob
from onnxcert.run.modality import select_modality
from onnxcert.run.progress import Clock, NoProgress, ProgressListener
from onnxcert.run.run_parameters import collect_parameters
from onnxcert.run.workers import CleanOutputs, InputJob, Scheduler, WorkerPool, clean_labels
from onnxcert.sampling import BatchLeak
from onnxcert.sampling.draws import check_seed
from onnxcert.sampling.tally import Tally, passes
from onnxcert.statistics.settings import Settings


@dataclass(kw_only=True)
class Run:
    """One run.

    Attributes:
        segmenter: the model.
        listing: the inputs, with ground truth if there is any.
        store: where results are stored.
        nonrobust: a second model, which is run on the clean inputs only.
        seed: seed of the draws; None selects the stored seed, or a new one.
        shard: the part of the listing to process; None for all of it.
        crew: the workers; None for this process.
        class_names, ignore_label: names of the classes; ground truth value to ignore, or None.
        batch_size: draws per pass; None for automatic.
        pictures: draw figures.
        checkpoint_seconds: seconds between checkpoints of an input.
        stopping: set it to stop after the current pass, write a checkpoint and raise
            KeyboardInterrupt.
        watcher: receives progress reports.
        clock: time outside the forward passes.
        skipped: after the run, inputs that could not be used -> reason.
        figures: collects figures that could not be drawn.
        interrupted: inputs were left out, or one was stopped at an interim look.
        runtime: where the model runs.
        forward: seconds in the runtime, summed over workers.
        leaky: the batch-invariance check has failed.
    """

    segmenter: OnnxSegmenter
    listing: Listing
    settings: Settings
    store: ResultStore
    nonrobust: OnnxSegmenter | None = None
    seed: int | None = None
    shard: Shard | None = None
    crew: WorkerPool | None = None
    class_names: tuple[str, ...] = ()
    ignore_label: int | None = None
    batch_size: int | None = None
    pictures: bool = True
    checkpoint_seconds: float = 60.0
    stopping: bool = False
    watcher: ProgressListener = field(default_factory=NoProgress)
    clock: Clock = field(default_factory=Clock)
    skipped: dict[str, str] = field(default_factory=dict)
    figures: BestEffort = field(default_factory=BestEffort)
    interrupted: bool = False

    def __post_init__(self) -> None:
        self.runtime = Runtime.of(self.segmenter)
        self.forward = 0.0
        self.leaky = False

    def execute(self, random_seed: int) -> Summary | None:
        """Certify all inputs that are not done yet; return the summary of the finished ones.

        Raises:
            OnnxcertError: the settings, model or inputs do not fit; finished results stay.
        """
        check_same_inputs(self.segmenter, self.nonrobust)
        own_listing = self.listing if self.shard is None else self.shard.of(self.listing)
        self.modality = select_modality(self.segmenter.entry, own_listing, self.ignore_label)
        usable, self.skipped = self.modality.usable()
        self._check_feasible(usable)
        check_seed(self.seed or 0)
        with ExitStack() as stack:
            scheduler = None if self.crew is None else self._open_scheduler(self.crew, stack)
            stack.enter_context(self.store.exclusive())
            self.parameters = self.collect_parameters()
            self.seed = self.store.begin(self.parameters, seed=self.seed, random_seed=random_seed)
            self.leaky = self.store.leaky
            self.store.note_inputs(
                (item.name for item in self.listing.items),
                self.skipped,
                shards=None if self.shard is None else self.shard.count,
            )
            if self.leaky:
                self.store.note_leak()  # again, in case the run was killed meanwhile
            names = [item.name for item in own_listing.items]
            try:
                self._process_all(usable, scheduler)
            finally:
                self.skipped = {name: self.skipped[name] for name in names if name in self.skipped}
                self.store.note_inputs((), self.skipped)
                self.store.derive()
            done = [name for name in names if name in self.store]
            if not done:
                return None
            records = self.store.records(done, checked=True)
            summary = summarise(records, listed=len(names), skipped=self.skipped)
            with self.clock.measure("report"):
                write_summary_curve(self.store.folder, summary, self.figures)
            return summary

    def collect_parameters(self) -> dict[str, Any]:
        """Return every parameter that a stored result depends on, by name."""
        return collect_parameters(
            self.segmenter,
            self.nonrobust,
            self.listing,
            self.settings,
            self.ignore_label,
            self.runtime.generator,
        )

    @cached_property
    def has_ground_truth(self) -> bool:
        """Whether any input has ground truth."""
        return any(item.label is not None for item in self.listing.items)

    def _open_scheduler(self, crew: WorkerPool, stack: ExitStack) -> Scheduler:
        """Start the workers and wait for the first one."""
        with self.clock.measure("startup"):
            crew = stack.enter_context(crew)
            seconds = min(2.0, self.checkpoint_seconds)
            scheduler = Scheduler(crew, seconds, self.watcher.report_status)
            self.runtime = scheduler.start(lambda: self.stopping)
        return scheduler

    def _check_feasible(self, usable: Mapping[Item, int]) -> None:
        """Raise ParameterError if n is too small to certify even the smallest input."""
        if not self.segmenter.component.is_input_element:
            return  # the number of components is known only after the first pass
        if usable and not self.settings.can_certify(min(usable.values())):
            self.settings.check_feasible(max(usable.values()))  # names an n for every input

    def _process_all(self, usable: Mapping[Item, int], scheduler: Scheduler | None) -> None:
        settings = self.settings
        self._inputs = len(usable)
        self._passes = passes(settings.n, settings.n0, settings.selection)
        self._progress_started = False
        self._same_size = Counter(usable.values())
        repeat = True
        try:
            while repeat and not self.interrupted:
                self._ended, leaky = 0, self.leaky
                if scheduler is not None:
                    courses = map(self._make_job, self._jobs(usable))
                    scheduler.run(courses, lambda: self.stopping, leaky=leaky)
                else:
                    self._run_here(usable)
                repeat = self.leaky != leaky  # count batched inputs again, one draw per pass
        finally:
            if scheduler is not None:
                self.forward = scheduler.forward
        if self.interrupted:
            raise KeyboardInterrupt

    def _run_here(self, usable: Mapping[Item, int]) -> None:
        """Run the model in this process."""
        before = self._seconds()
        autotuner = Autotuner(
            self.segmenter, each=self._passes, batch_size=self.batch_size, leaky=self.leaky
        )
        try:
            for job in self._jobs(usable):
                self._run_job(job, autotuner)
                self.report_end(job.name)
        finally:
            self.forward += self._seconds() - before

    def handle_leak(self) -> None:
        """React to a failed batch-invariance check: use one draw per pass for all inputs."""
        if not self.leaky:
            self.leaky = True
            self.store.note_leak()
            self.watcher.report_status(
                "outputs depend on the batch: restart with one draw per pass"
            )

    def _jobs(self, usable: Mapping[Item, int]) -> Iterator[CertificationJob]:
        """Yield each input that is not done yet, read at its turn."""
        for item in usable:
            if self.stopping:
                self.interrupted = True
                return
            try:
                prepared = self.modality.read(item)
                x = self.segmenter.to_array(prepared)
                job = CertificationJob(
                    self, item, prepared, x, same_size=self._same_size[usable[item]]
                )
            except InputError as error:
                refuse_too_many_files(item.path, error)
                why = str(error)
                self.skipped[item.name] = why if str(item.path) in why else f"{item.path}: {why}"
                self.report_end(item.name)
                continue
            if job.is_done():
                self.report_end(item.name)
            else:
                yield job

    def _run_job(self, job: CertificationJob, autotuner: Autotuner) -> None:
        try:
            labels = clean_labels(self.segmenter, self.nonrobust, job.x, job.nonrobust_x)
        except ModelError as error:
            self.skipped[job.name] = str(error)
            return
        job.accept_labels(*labels)
        self.report_progress(job.name, 0)
        checked = self.settings.leak_check_draws(int(job.clean.size), device=job.on_device)
        try:
            with self.clock.measure("startup"):
                plan = autotuner.plan(job.x, job.draws, inputs=job.same_size, checked=checked)
            if plan.one_draw_per_pass:
                self.handle_leak()
            tally = job.count_draws(plan)
        except BatchLeak:
            self.handle_leak()
            autotuner.leaky = True
            tally = job.count_draws(ONE_DRAW_PLAN)
        job.finish(tally)
        self.interrupted = tally.ended == "interrupted"

    def _make_job(self, job: CertificationJob) -> InputJob:
        """Return the job of an input for the workers."""

        def begin(answers: CleanOutputs) -> CheckpointedCount:
            self.segmenter.update_contract(answers.contract)
            if self.nonrobust is not None and answers.other_contract is not None:
                self.nonrobust.update_contract(answers.other_contract)
            job.accept_labels(answers.clean, answers.nonrobust)
            self.report_progress(job.name, 0)
            return job.start_count(answers.plan)

        def finish(tally: Tally) -> None:
            job.finish(tally)
            self.report_end(job.name)

        def skip(reason: str) -> None:
            self.skipped[job.name] = reason
            self.report_end(job.name)

        return InputJob(
            job.name,
            job.x,
            job.nonrobust_x,
            job.draws,
            self.settings,
            trial={"inputs": job.same_size, "batch_size": self.batch_size},
            begin=begin,
            finish=finish,
            skip=skip,
            found_leak=self.handle_leak,
        )

    def _seconds(self) -> float:
        return self.segmenter.seconds + (self.nonrobust.seconds if self.nonrobust else 0.0)

    def report_progress(self, name: str, done: int) -> None:
        """Report that `done` draws of an input are counted."""
        if not self._progress_started:  # wait until all checks before the first count have passed
            self.watcher.begin(self._inputs, self._passes)
            self._progress_started = True
        self.watcher.advance(name, self._ended + 1, done)

    def report_end(self, name: str) -> None:
        """Report that an input is finished or skipped."""
        if name in self.store:
            self.report_progress(name, self._passes)
        self._ended += 1
