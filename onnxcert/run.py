"""A run over many inputs, in this process or by workers; it resumes after a stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from onnxcert.case import CertificationJob
from onnxcert.counting import Counting
from onnxcert.draws import check_seed
from onnxcert.errors import InputError, ModelError, refuse_exhausted
from onnxcert.inputs import Item, Listing, Shard
from onnxcert.media import select_modality
from onnxcert.misfits import check_same_inputs
from onnxcert.model.running.runtime import Runtime
from onnxcert.model.running.trying import LEAKY, Trying
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.parameters import collect_parameters
from onnxcert.report.best_effort import BestEffort
from onnxcert.report.curve import write_summary_curve
from onnxcert.report.summary import Summary, summarise
from onnxcert.result import PIXELS, POINTS, Tally, passes
from onnxcert.sampling import BatchLeak
from onnxcert.settings import Settings
from onnxcert.store import ResultStore
from onnxcert.watcher import Clock, NoProgress, ProgressListener
from onnxcert.workers import Answers, Course, Crew, Dispatch, clean_labels


@dataclass(kw_only=True)
class Run:
    """One run: a model, its inputs and settings.

    Attributes:
        segmenter: the model.
        listing: the inputs, with ground truth if there is any.
        settings: settings of the certificate.
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
        stopping: set this in a signal handler to stop after the current pass and write a
            checkpoint; `execute` then raises KeyboardInterrupt.
        watcher: receives progress reports.
        clock: measures the time outside the forward passes.
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
    crew: Crew | None = None
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

    def execute(self, fresh_seed: int) -> Summary | None:
        """Certify all inputs that are not done yet; return the summary of the finished ones.

        Raises:
            OnnxcertError: the settings, model or inputs do not fit; finished results stay.
        """
        check_same_inputs(self.segmenter, self.nonrobust)
        own_listing = self.listing if self.shard is None else self.shard.of(self.listing)
        self.modality = select_modality(self.segmenter.entry, own_listing, self.ignore_label)
        usable, self.skipped = self.modality.usable()
        self._refuse_hopeless(usable)
        check_seed(self.seed or 0)
        with ExitStack() as stack:
            dispatch = None if self.crew is None else self._dispatch(self.crew, stack)
            stack.enter_context(self.store.exclusive())
            self.parameters = self.asked()
            self.seed = self.store.begin(self.parameters, seed=self.seed, fresh_seed=fresh_seed)
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
                self._process_all(usable, dispatch)
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

    def asked(self) -> dict[str, Any]:
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

    def _dispatch(self, crew: Crew, stack: ExitStack) -> Dispatch:
        """Start the workers and wait for the first one."""
        with self.clock.measure("startup"):
            dispatch = Dispatch(
                stack.enter_context(crew), min(2.0, self.checkpoint_seconds), self.watcher.say
            )
            self.runtime = dispatch.start(lambda: self.stopping)
        return dispatch

    def _refuse_hopeless(self, usable: Mapping[Item, int]) -> None:
        """Raise ParameterError if n is too small to certify even the smallest input."""
        if not self.parts_are_components:
            return  # the number of components is known only after the first pass
        if usable and not self.settings.can_certify(min(usable.values())):
            self.settings.refuse_hopeless(max(usable.values()))  # names an n for every input

    @property
    def parts_are_components(self) -> bool:
        """Whether the components are the pixels or points of the input."""
        return self.segmenter.components.startswith((PIXELS, POINTS))

    def _process_all(self, usable: Mapping[Item, int], dispatch: Dispatch | None) -> None:
        settings = self.settings
        self._inputs = len(usable)
        self._passes = passes(settings.n, settings.n0, settings.selection)
        self._progress_started = False
        self._same_size = Counter(usable.values())
        repeat = True
        try:
            while repeat and not self.interrupted:
                self._ended, leaky = 0, self.leaky
                if dispatch is not None:
                    courses = map(self._course, self._jobs(usable))
                    dispatch.run(courses, lambda: self.stopping, leaky=leaky)
                else:
                    self._run_here(usable)
                repeat = self.leaky != leaky  # count batched inputs again, one draw per pass
        finally:
            if dispatch is not None:
                self.forward = dispatch.forward
        if self.interrupted:
            raise KeyboardInterrupt

    def _run_here(self, usable: Mapping[Item, int]) -> None:
        """Run the model in this process."""
        before = self._seconds()
        trying = Trying(
            self.segmenter, each=self._passes, batch_size=self.batch_size, leaky=self.leaky
        )
        try:
            for job in self._jobs(usable):
                self._run_job(job, trying)
                self.report_end(job.name)
        finally:
            self.forward += self._seconds() - before

    def handle_leak(self) -> None:
        """React to a failed batch-invariance check: use one draw per pass for all inputs."""
        if not self.leaky:
            self.leaky = True
            self.store.note_leak()
            self.watcher.say("predictions depend on the batch: restart with one draw per pass")

    def _jobs(self, usable: Mapping[Item, int]) -> Iterator[CertificationJob]:
        """Yield each input that is not done yet, read at its turn."""
        for item in usable:
            if self.stopping:
                self.interrupted = True
                return
            try:
                prepared = self.modality.read(item)
                x = self.segmenter.declared(prepared)
                job = CertificationJob(
                    self, item, prepared, x, same_size=self._same_size[usable[item]]
                )
            except InputError as error:
                refuse_exhausted(item.path, error)
                why = str(error)
                self.skipped[item.name] = why if str(item.path) in why else f"{item.path}: {why}"
                self.report_end(item.name)
                continue
            if job.is_done():
                self.report_end(item.name)
            else:
                yield job

    def _run_job(self, job: CertificationJob, trying: Trying) -> None:
        try:
            labels = clean_labels(self.segmenter, self.nonrobust, job.x, job.nonrobust_x)
        except ModelError as error:
            self.skipped[job.name] = str(error)
            return
        job.accept_labels(*labels)
        self.report_progress(job.name, 0)
        checked = self.settings.checked_draws(int(job.clean.size), device=job.on_device)
        try:
            with self.clock.measure("startup"):
                tried = trying.tried(job.x, job.draws, inputs=job.same_size, checked=checked)
            if tried.one_draw_per_pass:
                self.handle_leak()
            tally = job.count_draws(tried)
        except BatchLeak:
            self.handle_leak()
            trying.leaky = True
            tally = job.count_draws(LEAKY)
        job.finish(tally)
        self.interrupted = tally.ended == "interrupted"

    def _course(self, job: CertificationJob) -> Course:
        """Return the job of an input for the workers."""

        def begin(answers: Answers) -> Counting:
            self.segmenter.learn(answers.contract)
            if self.nonrobust is not None and answers.other_contract is not None:
                self.nonrobust.learn(answers.other_contract)
            job.accept_labels(answers.clean, answers.nonrobust)
            self.report_progress(job.name, 0)
            return job.start_count(answers.tried)

        def finish(tally: Tally) -> None:
            job.finish(tally)
            self.report_end(job.name)

        def skip(reason: str) -> None:
            self.skipped[job.name] = reason
            self.report_end(job.name)

        return Course(
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
