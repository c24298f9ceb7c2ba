"""A run over many inputs, in this process or by workers; it resumes after a stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from onnxcert.data import Item, Listing, Shard
from onnxcert.errors import InputError, refuse_too_many_files
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.environment import Runtime
from onnxcert.report.figures.curve import write_summary_curve
from onnxcert.report.figures.plotting import BestEffort
from onnxcert.report.tables.summary import Summary, summarise
from onnxcert.results import ResultStore
from onnxcert.run.compatibility import check_same_inputs
from onnxcert.run.context import Plans, RunContext
from onnxcert.run.job import CertificationJob
from onnxcert.run.modality import InputModality, select_modality
from onnxcert.run.progress import Clock, Progress, ProgressListener
from onnxcert.run.provenance import collect_parameters
from onnxcert.run.workers.scheduler import Scheduler
from onnxcert.run.workers.worker import WorkerPool
from onnxcert.sampling.draws import check_seed
from onnxcert.sampling.tally import passes
from onnxcert.statistics.settings import Settings


@dataclass(kw_only=True)
class Run:
    """One run.

    Attributes:
        segmenter: the model.
        listing: the inputs, with ground truth if there is any.
        settings: the statistical settings.
        store: where results are stored.
        nonrobust: a second model, which is run on the clean inputs only.
        seed: seed of the draws; None selects the stored seed, or a new one.
        shard: the part of the listing to process; None for all of it.
        crew: the workers; None for this process.
        class_names: names of the classes.
        ignore_label: ground truth value to ignore, or None.
        batch_size: draws per pass; None for automatic.
        pictures: draw figures.
        checkpoint_seconds: seconds between checkpoints of an input.
        watcher: receives progress reports.
        stopping: set it to stop after the current pass, write a checkpoint and raise
            KeyboardInterrupt.
        clock: time outside the forward passes.
        figures: collects figures that could not be drawn.
        skipped: after the run, inputs that could not be used -> reason.
        interrupted: inputs were left out, or one was stopped at an interim look.
        forward: seconds in the runtime, summed over workers.
        runtime: where the model runs.
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
    watcher: ProgressListener = field(default_factory=ProgressListener)
    stopping: bool = field(default=False, init=False)
    clock: Clock = field(default_factory=Clock, init=False)
    figures: BestEffort = field(default_factory=BestEffort, init=False)
    skipped: dict[str, str] = field(default_factory=dict, init=False)
    interrupted: bool = field(default=False, init=False)
    forward: float = field(default=0.0, init=False)
    runtime: Runtime = field(init=False)

    def __post_init__(self) -> None:
        self.runtime = Runtime.of(self.segmenter)

    def execute(self, random_seed: int) -> Summary | None:
        """Certify all inputs that are not done yet; return the summary of the finished ones.

        Raises:
            OnnxcertError: the settings, model or inputs do not fit; finished results stay.
        """
        check_same_inputs(self.segmenter, self.nonrobust)
        own_listing = self.listing if self.shard is None else self.shard.of(self.listing)
        modality = select_modality(self.segmenter.entry, own_listing, self.ignore_label)
        usable, self.skipped = modality.usable()
        self._check_feasible(usable)
        check_seed(self.seed or 0)
        with ExitStack() as stack:
            scheduler = None if self.crew is None else self._open_scheduler(self.crew, stack)
            stack.enter_context(self.store.exclusive())
            context = self._begin(modality, len(usable), random_seed)
            names = [item.name for item in own_listing.items]
            try:
                self._process_all(context, usable, scheduler)
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

    def _check_feasible(self, usable: Mapping[Item, int]) -> None:
        """Raise ParameterError if n is too small to certify even the smallest input."""
        if not self.segmenter.component.is_input_element:
            return  # the number of components is known only after the first pass
        if usable and not self.settings.can_certify(min(usable.values())):
            self.settings.check_feasible(max(usable.values()))  # names an n for every input

    def _open_scheduler(self, crew: WorkerPool, stack: ExitStack) -> Scheduler:
        """Start the workers and wait for the first one."""
        with self.clock.measure("startup"):
            scheduler = Scheduler(stack.enter_context(crew), self.watcher)
            self.runtime = scheduler.start(lambda: self.stopping)
        return scheduler

    def _begin(self, modality: InputModality, inputs: int, random_seed: int) -> RunContext:
        """Start or resume the run in the store, which is locked."""
        settings, store = self.settings, self.store
        parameters = collect_parameters(
            self.segmenter,
            self.nonrobust,
            self.listing,
            settings,
            self.ignore_label,
            self.runtime.generator,
        )
        seed = store.begin(parameters, seed=self.seed, random_seed=random_seed)
        leaky = store.leaky
        store.note_inputs(
            (item.name for item in self.listing.items),
            self.skipped,
            shards=None if self.shard is None else self.shard.count,
        )
        if leaky:
            store.note_leak()  # again, in case the run was killed meanwhile
        each = passes(settings.n, settings.n0, settings.selection)
        return RunContext(
            segmenter=self.segmenter,
            nonrobust=self.nonrobust,
            settings=settings,
            store=store,
            modality=modality,
            runtime=self.runtime,
            workers="" if self.crew is None else self.crew.described,
            seed=seed,
            parameters=parameters,
            class_names=self.class_names,
            ignore_label=self.ignore_label,
            batch_size=self.batch_size,
            pictures=self.pictures,
            checkpoint_seconds=self.checkpoint_seconds,
            plans=Plans(leaky),
            progress=Progress(self.watcher, inputs, each),
            clock=self.clock,
            figures=self.figures,
            skipped=self.skipped,
            stopping=lambda: self.stopping,
        )

    def _process_all(
        self, context: RunContext, usable: Mapping[Item, int], scheduler: Scheduler | None
    ) -> None:
        before, repeat = self._seconds(), True
        try:
            while repeat and not self.interrupted:
                context.progress.ended, leaky = 0, context.plans.leaky
                jobs = self._jobs(context, usable)
                if scheduler is not None:
                    scheduler.run(jobs, context.stopping)
                else:
                    for job in jobs:
                        self.interrupted = job.count_here() == "interrupted"
                repeat = context.plans.leaky != leaky  # count batched inputs again, one by one
        finally:
            self.forward = self._seconds() - before if scheduler is None else scheduler.forward
        if self.interrupted:
            raise KeyboardInterrupt

    def _jobs(self, context: RunContext, usable: Mapping[Item, int]) -> Iterator[CertificationJob]:
        """Yield each input that is not done yet, read at its turn."""
        same_size = Counter(usable.values())
        for item, size in usable.items():
            if self.stopping:
                self.interrupted = True
                return
            try:
                prepared = context.modality.read(item)
                x = self.segmenter.to_array(prepared)
                job = CertificationJob(context, item, prepared, x, same_size=same_size[size])
            except InputError as error:
                refuse_too_many_files(item.path, error)
                why = str(error)
                context.skip(item.name, why if str(item.path) in why else f"{item.path}: {why}")
                continue
            if job.is_done():
                context.progress.end(item.name, stored=True)
            else:
                yield job

    def _seconds(self) -> float:
        return self.segmenter.seconds + (self.nonrobust.seconds if self.nonrobust else 0.0)
