"""A run over many inputs: read, label, count, decide, keep; and go on where it was stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from onnxcert._typing import FloatArray, IntArray
from onnxcert.class_names import names_of
from onnxcert.counting import counted
from onnxcert.draws import Draws, check_seed, digest
from onnxcert.errors import InputError, ModelError
from onnxcert.inputs import Item, Listing
from onnxcert.media import medium_of
from onnxcert.misfits import refuse_another_kind, refuse_other, refuse_unlike
from onnxcert.model.probe import OneDrawPerPass
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.trying import Tried, Trying
from onnxcert.parameters import digest_of, parameters
from onnxcert.provenance import provenance
from onnxcert.report.curve import write_summary_curve
from onnxcert.report.files import has_picture, write_labels
from onnxcert.report.summary import Summary, summarise
from onnxcert.result import PIXELS, POINTS, Tally, passes
from onnxcert.settings import Settings
from onnxcert.store import Record, ResultStore
from onnxcert.watcher import Clock, Silent, Watcher


@dataclass(kw_only=True)
class Run:
    """One run: a model, its inputs and what is asked of them.

    Attributes:
        segmenter: the model. nonrobust: another one, shown the clean inputs only.
        listing: the inputs, with their labels if there are any.
        settings: of the certificate.
        store: where the results go.
        seed: of the draws; None takes the stored one, or a fresh one.
        class_names, ignore_label: of the labels.
        batch_size: draws per pass; None chooses.
        pictures: whether to draw them.
        checkpoint_seconds: an input that takes longer keeps its count so often.
        stopping: set it from a signal handler to stop after the present pass, with the count kept;
            `execute` then raises KeyboardInterrupt.
        skipped: after the run, the inputs that could not be used, with the reason.
        interrupted: whether the last input was stopped at a look.
    """

    segmenter: OnnxSegmenter
    listing: Listing
    settings: Settings
    store: ResultStore
    nonrobust: OnnxSegmenter | None = None
    seed: int | None = None
    class_names: tuple[str, ...] = ()
    ignore_label: int | None = None
    batch_size: int | None = None
    pictures: bool = True
    checkpoint_seconds: float = 60.0
    stopping: bool = False
    watcher: Watcher = field(default_factory=Silent)
    clock: Clock = field(default_factory=Clock)
    skipped: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    def execute(self, fresh_seed: int) -> Summary | None:
        """Certify every input that is not done yet; the summary of those listed, if any.

        Raises:
            OnnxcertError: nothing can be certified as asked; what is finished stays.
        """
        refuse_another_kind(self.segmenter, self.nonrobust)
        self._medium = medium_of(self.segmenter.entry, self.listing, self.ignore_label)
        usable, self.skipped = self._medium.usable()
        self._refuse_hopeless(usable)
        check_seed(self.seed or 0)
        self._asked = self.asked()
        with self.store.exclusive():
            self.seed = self.store.begin(self._asked, seed=self.seed, fresh_seed=fresh_seed)
            self.store.note((item.name for item in self.listing.items), self.skipped)
            try:
                self._go_through(usable)
            finally:
                self.store.note((), self.skipped)
                self.store.derive()
        done = [item.name for item in self.listing.items if item.name in self.store]
        if not done:
            return None
        summary = summarise(
            self.store.records(done), listed=len(self.listing.items), skipped=self.skipped
        )
        with self.clock.measure("report"):
            write_summary_curve(self.store.folder, summary)
        return summary

    def asked(self) -> dict[str, Any]:
        """Everything a stored result depends on, by name."""
        return parameters(
            self.segmenter, self.nonrobust, self.listing, self.settings, self.ignore_label
        )

    # -- before anything is drawn ----------------------------------------------------------

    @cached_property
    def _labelled(self) -> bool:
        return any(item.label is not None for item in self.listing.items)

    def _refuse_hopeless(self, usable: Mapping[Item, int]) -> None:
        """Refuse an n at which not even the smallest input could be certified."""
        if not self._parts_are_components:
            return  # how many components there are is known after the first pass
        if usable and not self.settings.can_certify(min(usable.values())):
            self.settings.refuse_hopeless(max(usable.values()))  # so that n serves every input

    @property
    def _parts_are_components(self) -> bool:
        return self.segmenter.components.startswith((PIXELS, POINTS))

    # -- one input after the other ---------------------------------------------------------

    def _go_through(self, usable: Mapping[Item, int]) -> None:
        settings = self.settings
        self._inputs = len(usable)
        self._passes = passes(settings.n, settings.n0, settings.selection)
        self._told = False
        self._trying = Trying(self.segmenter, each=self._passes, batch_size=self.batch_size)
        alike = Counter(usable.values())
        for self._place, item in enumerate(usable, start=1):
            if self.stopping:
                raise KeyboardInterrupt
            try:
                prepared = self._medium.read(item)
                x = self.segmenter.declared(prepared)
            except InputError as error:
                said = str(error)
                self.skipped[item.name] = said if str(item.path) in said else f"{item.path}: {said}"
            else:
                self._one(item, prepared, x, alike[usable[item]])
            if item.name in self.store:
                self._tell(item.name, self._passes)
        if self.interrupted:
            raise KeyboardInterrupt

    def _one(self, item: Item, prepared: Any, x: FloatArray, alike: int) -> None:
        identity = digest(x)
        if item.name in self.store:
            with self.store.open(item.name) as record:
                self._check_again(item, prepared, identity, record)
                done = record.ended != "interrupted"
            if done:
                return
        try:
            clean = self.segmenter(x[None])[0]
            other = self._other(prepared)
        except ModelError as error:
            self.skipped[item.name] = str(error)
            return
        names = names_of(self.segmenter, self.class_names, clean.shape)
        refuse_unlike(self.segmenter, self.nonrobust, labelled=self._labelled)
        assert self.seed is not None
        if not self._parts_are_components:
            self.settings.refuse_hopeless(clean.size)
        truth = self._medium.truth(item, prepared, classes=self.segmenter.classes, names=names)
        self._tell(item.name, 0)
        backend = self.segmenter.backend
        draws = Draws(self.settings.perturbation, self.seed, identity, backend.generator)
        with self.clock.measure("startup"):
            tried = self._trying.tried(x, draws, inputs=alike)
        self.watcher.chosen(tried.batch.draws, tried.batch.why)
        tally = self._count(item.name, x, tried, draws, int(clean.size))
        certificate = self.settings.decide(tally)
        record = Record.of(
            item.name,
            certificate,
            clean=clean,
            nonrobust=other,
            truth=truth,
            ignore_label=self.ignore_label,
            provenance=provenance(
                self.segmenter,
                class_names=names,
                item=item,
                truth=truth,
                draws=draws,
                parameters=self._asked,
                batch_size=tried.batch,
                category=self._medium.category(prepared),
                warnings=[
                    w
                    for w in (
                        self.segmenter.session.note,
                        tried.warning,
                        *self._medium.notes(prepared),
                    )
                    if w
                ],
            ),
        )

        def beside() -> None:
            write_labels(self.store.folder, record, names)
            if self.pictures:
                self._draw(record, prepared, truth, names)

        self.store.write(record, beside=beside)
        self.interrupted = tally.ended == "interrupted"

    def _check_again(self, item: Item, prepared: Any, identity: str, record: Record) -> None:
        """Refuse a finished input that has changed; write again what is derived and missing."""
        # Names given now, or those that were noted when the record was made.
        names = self.class_names or tuple(record.provenance.contract["class_names"])
        truth = self._medium.truth(item, prepared, classes=record.classes, names=names)
        refuse_other(
            self.store,
            record,
            item,
            identity=identity,
            truth=truth,
            category=self._medium.category(prepared),
            asked={**self._asked, "seed": self.seed},
        )
        if not self._medium.has_labels(self.store.folder, item.name):
            write_labels(self.store.folder, record, names)
        if self.pictures and not has_picture(self.store.folder, item.name):
            self._draw(record.in_memory(), prepared, truth, names)

    def _count(
        self, name: str, x: FloatArray, tried: Tried, draws: Draws, components: int
    ) -> Tally:
        settings, model = self.settings, self.segmenter
        return counted(
            self.store,
            name,
            tried.segment,
            x,
            settings.count(draws, model.classes, components, model.backend),
            runtime={
                "provider": model.session.provider,
                "onnxruntime": model.session.version,
                "one_draw_per_pass": str(isinstance(tried.segment, OneDrawPerPass)),
                "asked": digest_of(self._asked),
            },
            batch_size=tried.batch.draws,
            unit=model.unit,
            kind=model.components,
            checkpoint_seconds=self.checkpoint_seconds,
            looking=settings.looking(),
            on_batch=lambda done: self._tell(name, done),
            on_look=lambda outlook: self.watcher.say(outlook.shown()),
            stopping=lambda: self.stopping,
        )

    def _tell(self, name: str, done: int) -> None:
        """Tell the watcher, for the first time only when nothing is refused any more."""
        if not self._told:
            self.watcher.begin(self._inputs, self._passes)
            self._told = True
        self.watcher.advance(name, self._place, done)

    def _other(self, prepared: Any) -> IntArray | None:
        """What the other model says without noise."""
        if self.nonrobust is None:
            return None
        labels: IntArray = self.nonrobust(self.nonrobust.declared(prepared)[None])[0]
        return labels

    def _draw(
        self, record: Record, prepared: Any, truth: IntArray | None, names: Sequence[str]
    ) -> None:
        with self.clock.measure("report"):
            self._medium.draw(self.store.folder, record, prepared, truth, names)
