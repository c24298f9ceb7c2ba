"""A run over many inputs, in this process or by workers; it resumes after a stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from onnxcert.case import Case
from onnxcert.counting import Counting
from onnxcert.draws import check_seed
from onnxcert.errors import InputError, ModelError, refuse_exhausted
from onnxcert.inputs import Item, Listing, Shard
from onnxcert.media import medium_of
from onnxcert.misfits import refuse_another_kind
from onnxcert.model.running.runtime import Runtime
from onnxcert.model.running.trying import LEAKY, Trying
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.parameters import parameters
from onnxcert.report.best_effort import BestEffort
from onnxcert.report.curve import write_summary_curve
from onnxcert.report.summary import Summary, summarise
from onnxcert.result import PIXELS, POINTS, Tally, passes
from onnxcert.sampling import BatchLeak
from onnxcert.settings import Settings
from onnxcert.store import ResultStore
from onnxcert.watcher import Clock, Silent, Watcher
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
    watcher: Watcher = field(default_factory=Silent)
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
        refuse_another_kind(self.segmenter, self.nonrobust)
        mine = self.listing if self.shard is None else self.shard.of(self.listing)
        self.medium = medium_of(self.segmenter.entry, mine, self.ignore_label)
        usable, self.skipped = self.medium.usable()
        self._refuse_hopeless(usable)
        check_seed(self.seed or 0)
        with ExitStack() as stack:
            dispatch = None if self.crew is None else self._dispatch(self.crew, stack)
            stack.enter_context(self.store.exclusive())
            self.parameters = self.asked()
            self.seed = self.store.begin(self.parameters, seed=self.seed, fresh_seed=fresh_seed)
            self.leaky = self.store.leaky
            self.store.note(
                (item.name for item in self.listing.items),
                self.skipped,
                shards=None if self.shard is None else self.shard.count,
            )
            if self.leaky:
                self.store.note_leak()  # again, in case the run was killed meanwhile
            names = [item.name for item in mine.items]
            try:
                self._go_through(usable, dispatch)
            finally:
                self.skipped = {name: self.skipped[name] for name in names if name in self.skipped}
                self.store.note((), self.skipped)
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
        return parameters(
            self.segmenter,
            self.nonrobust,
            self.listing,
            self.settings,
            self.ignore_label,
            self.runtime.generator,
        )

    # -- before anything is drawn ----------------------------------------------------------

    @cached_property
    def labelled(self) -> bool:
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

    # -- one input after another -----------------------------------------------------------

    def _go_through(self, usable: Mapping[Item, int], dispatch: Dispatch | None) -> None:
        settings = self.settings
        self._inputs = len(usable)
        self._passes = passes(settings.n, settings.n0, settings.selection)
        self._told = False
        self._alike = Counter(usable.values())
        again = True
        try:
            while again and not self.interrupted:
                self._ended, leaky = 0, self.leaky
                if dispatch is not None:
                    courses = map(self._course, self._cases(usable))
                    dispatch.run(courses, lambda: self.stopping, leaky=leaky)
                else:
                    self._alone(usable)
                again = self.leaky != leaky  # count batched inputs again, one draw per pass
        finally:
            if dispatch is not None:
                self.forward = dispatch.forward
        if self.interrupted:
            raise KeyboardInterrupt

    def _alone(self, usable: Mapping[Item, int]) -> None:
        """Run the model in this process."""
        before = self._seconds()
        trying = Trying(
            self.segmenter, each=self._passes, batch_size=self.batch_size, leaky=self.leaky
        )
        try:
            for case in self._cases(usable):
                self._one(case, trying)
                self.end(case.name)
        finally:
            self.forward += self._seconds() - before

    def found_leak(self) -> None:
        """React to a failed batch-invariance check: use one draw per pass for all inputs."""
        if not self.leaky:
            self.leaky = True
            self.store.note_leak()
            self.watcher.say(
                "predictions depend on the batch: starting again with one draw per pass"
            )

    def _cases(self, usable: Mapping[Item, int]) -> Iterator[Case]:
        """Yield each input that is not done yet, read at its turn."""
        for item in usable:
            if self.stopping:
                self.interrupted = True
                return
            try:
                prepared = self.medium.read(item)
                x = self.segmenter.declared(prepared)
                case = Case(self, item, prepared, x, alike=self._alike[usable[item]])
            except InputError as error:
                refuse_exhausted(item.path, error)
                said = str(error)
                self.skipped[item.name] = said if str(item.path) in said else f"{item.path}: {said}"
                self.end(item.name)
                continue
            if case.done():
                self.end(item.name)
            else:
                yield case

    def _one(self, case: Case, trying: Trying) -> None:
        try:
            labels = clean_labels(self.segmenter, self.nonrobust, case.x, case.other_x)
        except ModelError as error:
            self.skipped[case.name] = str(error)
            return
        case.accept(*labels)
        self.tell(case.name, 0)
        checked = self.settings.checked_draws(int(case.clean.size), device=case.on_device)
        try:
            with self.clock.measure("startup"):
                tried = trying.tried(case.x, case.draws, inputs=case.alike, checked=checked)
            if tried.one_draw_per_pass:
                self.found_leak()
            tally = case.counted(tried)
        except BatchLeak:
            self.found_leak()
            trying.leaky = True
            tally = case.counted(LEAKY)
        case.finish(tally)
        self.interrupted = tally.ended == "interrupted"

    def _course(self, case: Case) -> Course:
        """Return the job of an input for the workers."""

        def begin(answers: Answers) -> Counting:
            self.segmenter.learn(answers.contract)
            if self.nonrobust is not None and answers.other_contract is not None:
                self.nonrobust.learn(answers.other_contract)
            case.accept(answers.clean, answers.nonrobust)
            self.tell(case.name, 0)
            return case.counting(answers.tried)

        def finish(tally: Tally) -> None:
            case.finish(tally)
            self.end(case.name)

        def skip(reason: str) -> None:
            self.skipped[case.name] = reason
            self.end(case.name)

        return Course(
            case.name,
            case.x,
            case.other_x,
            case.draws,
            self.settings,
            trial={"inputs": case.alike, "batch_size": self.batch_size},
            begin=begin,
            finish=finish,
            skip=skip,
            found_leak=self.found_leak,
        )

    def _seconds(self) -> float:
        return self.segmenter.seconds + (self.nonrobust.seconds if self.nonrobust else 0.0)

    # -- progress --------------------------------------------------------------------------

    def tell(self, name: str, done: int) -> None:
        """Report that `done` draws of an input are counted."""
        if not self._told:  # wait until all checks before the first count have passed
            self.watcher.begin(self._inputs, self._passes)
            self._told = True
        self.watcher.advance(name, self._ended + 1, done)

    def end(self, name: str) -> None:
        """Report that an input is finished or skipped."""
        if name in self.store:
            self.tell(name, self._passes)
        self._ended += 1
