"""A run over many inputs: read, label, count, decide, keep; and go on where it was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from onnxcert._typing import FloatArray, IntArray, Segmenter
from onnxcert.certification import default_batch_size
from onnxcert.class_names import names_of
from onnxcert.counting import counted
from onnxcert.draws import Draws, check_seed, digest
from onnxcert.errors import InputError, ModelError
from onnxcert.inputs import Item, Listing, read_image, usable_sizes
from onnxcert.misfits import refuse_other, refuse_unlike
from onnxcert.model.probe import LEAKS, OneDrawPerPass, leaks, probed
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.parameters import digest_of, parameters
from onnxcert.provenance import provenance
from onnxcert.report.curve import write_summary_curve
from onnxcert.report.files import draw_record, has_labels, has_picture, write_labels
from onnxcert.report.summary import Summary, summarise
from onnxcert.result import PIXELS, Tally, passes
from onnxcert.settings import Settings
from onnxcert.store import Record, ResultStore
from onnxcert.truth import read_truth
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
        usable, self.skipped = usable_sizes(self.listing)
        self._refuse_hopeless(usable)
        check_seed(self.seed or 0)
        with self.store.exclusive():
            self.seed = self.store.begin(self.asked(), seed=self.seed, fresh_seed=fresh_seed)
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

    @property
    def _labelled(self) -> bool:
        return any(item.label is not None for item in self.listing.items)

    def _refuse_hopeless(self, sizes: Mapping[Item, tuple[int, int]]) -> None:
        """Refuse an n at which not even the smallest picture could be certified."""
        if self.segmenter.components != PIXELS:
            return  # how many there are is known after the first pass
        components = [height * width for height, width in sizes.values()]
        if components and not self.settings.can_certify(min(components)):
            self.settings.refuse_hopeless(max(components))  # so that n serves every picture

    # -- one input after the other ---------------------------------------------------------

    def _go_through(self, sizes: Mapping[Item, tuple[int, int]]) -> None:
        settings = self.settings
        self._inputs = len(sizes)
        self._passes = passes(settings.n, settings.n0, settings.selection)
        self._told = False
        by_size: dict[tuple[int, ...], tuple[Segmenter, str]] = {}
        for self._place, item in enumerate(sizes, start=1):
            if self.stopping:
                raise KeyboardInterrupt
            try:
                pixels = read_image(item.path)
            except InputError as error:
                self.skipped[item.name] = str(error)
            else:
                self._one(item, pixels, by_size)
            if item.name in self.store:
                self._tell(item.name, self._passes)
        if self.interrupted:
            raise KeyboardInterrupt

    def _one(
        self,
        item: Item,
        pixels: FloatArray,
        by_size: dict[tuple[int, ...], tuple[Segmenter, str]],
    ) -> None:
        picture, pixels = pixels, self.segmenter.declared(pixels)
        identity = digest(pixels)
        if item.name in self.store:
            with self.store.open(item.name) as record:
                self._check_again(item, picture, identity, record)
                done = record.ended != "interrupted"
            if done:
                return
        try:
            clean = self.segmenter(pixels[None])[0]
            other = self._other(picture)
        except ModelError as error:
            self.skipped[item.name] = str(error)
            return
        names = names_of(self.segmenter, self.class_names, clean.shape)
        refuse_unlike(self.segmenter, self.nonrobust, labelled=self._labelled)
        assert self.seed is not None
        if self.segmenter.components != PIXELS:
            self.settings.refuse_hopeless(clean.size)
        truth = self._truth(item, picture, self.segmenter.classes, names)
        self._tell(item.name, 0)
        draws = Draws(self.settings.perturbation, self.seed, identity)
        batch_size = self.batch_size or default_batch_size(
            max(pixels.size, self.segmenter.values(*pixels.shape[1:]))
        )
        first = pixels.shape not in by_size
        if first:
            with self.clock.measure("startup"):
                by_size[pixels.shape] = probed(self.segmenter, pixels, draws, batch_size=batch_size)
        segment, warning = by_size[pixels.shape]
        if not (first or warning) and leaks(segment, pixels, draws, batch_size=batch_size):
            segment, warning = OneDrawPerPass(segment), LEAKS
        tally = self._count(item.name, pixels, segment, draws, batch_size, int(clean.size))
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
                parameters=self.asked(),
                batch_size=batch_size,
                warnings=[w for w in (self.segmenter.session.note, warning) if w],
            ),
        )
        write_labels(self.store.folder, record, names)
        if self.pictures:
            self._draw(record, picture, truth)
        self.store.write(record)
        self.interrupted = tally.ended == "interrupted"

    def _check_again(self, item: Item, picture: FloatArray, identity: str, record: Record) -> None:
        """Refuse a finished input that has changed; write again what is derived and missing."""
        truth = self._truth(item, picture, record.classes, self._names_of(record))
        asked = {**self.asked(), "seed": self.seed}
        refuse_other(self.store, record, item, identity=identity, truth=truth, asked=asked)
        if not has_labels(self.store.folder, item.name):
            write_labels(self.store.folder, record, self._names_of(record))
        if self.pictures and not has_picture(self.store.folder, item.name):
            self._draw(record.in_memory(), picture, truth)

    def _count(
        self,
        name: str,
        pixels: FloatArray,
        segment: Segmenter,
        draws: Draws,
        batch_size: int,
        components: int,
    ) -> Tally:
        settings, model = self.settings, self.segmenter
        return counted(
            self.store,
            name,
            segment,
            pixels,
            settings.count(draws, model.classes, components),
            runtime={
                "provider": model.session.provider,
                "onnxruntime": model.session.version,
                "one_draw_per_pass": str(isinstance(segment, OneDrawPerPass)),
                "asked": digest_of(self.asked()),
            },
            batch_size=batch_size,
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

    def _other(self, picture: FloatArray) -> IntArray | None:
        """What the other model says without noise."""
        if self.nonrobust is None:
            return None
        labels: IntArray = self.nonrobust(self.nonrobust.declared(picture)[None])[0]
        return labels

    def _truth(
        self, item: Item, picture: FloatArray, classes: int, names: tuple[str, ...]
    ) -> IntArray | None:
        height, width = picture.shape[1:]
        return read_truth(
            item,
            None if self.segmenter.classifies else (height, width),
            classes=classes,
            ignore_label=self.ignore_label,
            coding=self.listing.coding,
            class_names=names,
        )

    # -- what a person looks at ------------------------------------------------------------

    def _names_of(self, record: Record) -> tuple[str, ...]:
        """Names given now, or those that were noted when the record was made."""
        return self.class_names or tuple(record.provenance.contract["class_names"])

    def _draw(self, record: Record, pixels: FloatArray, truth: IntArray | None) -> None:
        with self.clock.measure("report"):
            draw_record(
                self.store.folder,
                record,
                photograph=pixels,
                truth=truth,
                class_names=self._names_of(record),
                ignore_label=self.ignore_label,
            )
