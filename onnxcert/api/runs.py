"""Certification of many inputs: a run, which resumes if it is called again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Unpack

from onnxcert.api.keyword_checks import check_keywords
from onnxcert.api.keywords import Name, RunKeywords
from onnxcert.api.preparation import prepare_runs
from onnxcert.api.progress import Bar
from onnxcert.api.report import Report
from onnxcert.errors import InputError, ParameterError
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.results import Record, ResultStore
from onnxcert.run.progress import ProgressListener
from onnxcert.run.run import Run
from onnxcert.sampling.draws import random_seed
from onnxcert.sampling.tally import Selection


@dataclass(frozen=True)
class FinishedRun:
    """The results of a run.

    Attributes:
        store: the records, one for each finished input.
        report: scores and counts over all inputs; as text the table.
        skipped: inputs that could not be used -> reason.
        warnings: figures that could not be drawn, as sentences.
    """

    store: ResultStore
    report: Report
    skipped: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The results folder."""
        return self.store.folder

    def summary(self) -> Report:
        """Return scores and counts over all inputs; as text the table of the command line."""
        return self.report

    def to_frame(self) -> Any:
        """Return one row for each input; see `onnxcert.results.reader.Results.to_frame`."""
        return self.store.to_frame()

    def __len__(self) -> int:
        return len(self.store)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.store)

    def __getitem__(self, key: str | int) -> Record:
        return self.store[key]

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"<run of {len(self)} inputs{skipped} in {self.folder}>"

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


@check_keywords(RunKeywords, presets=True)
def certify_many(
    model: Name | OnnxSegmenter,
    inputs: Name | Sequence[Name] | None = None,
    *,
    preset: str | None = None,
    n: int | None = 100,
    n0: int = 10,
    selection: Selection = "pooled",
    seed: int | None = None,
    nonrobust: Name | OnnxSegmenter | None = None,
    out: Name | None = None,
    pictures: bool = True,
    batch_size: int | None = None,
    leak_check: int | Literal["off"] | None = None,
    checkpoint: float = 60.0,
    progress: bool | ProgressListener = False,
    **keywords: Unpack[RunKeywords],
) -> FinishedRun:
    """Certify images or point clouds in files and store the results; as `onnxcert certify`.

    The same call resumes an interrupted run, and reads the results of a finished one.

    Args:
        model: ONNX file, name of a bundled model, or an opened model.
        inputs: files, folders and patterns; None for the sample inputs next to the model.
        preset: ``paper``, ``quick`` or ``strict``: values of several keywords; those given here
            win. See `onnxcert.api.presets`.
        n: draws tested; with `looks` the maximum. None for the least that can certify, and 20 %
            more.
        n0: draws that select the candidate class.
        selection: ``pooled`` or ``split``; see `onnxcert.statistics.settings.Settings`.
        seed: seed of the draws; None for the stored one, or a random one.
        nonrobust: baseline model, run on the clean inputs.
        out: results folder; None for one in ``onnxcert-results``, named by model and settings.
        pictures: whether to write a figure for each input.
        batch_size: draws per pass; None for automatic.
        leak_check: as for `onnxcert.certify`.
        checkpoint: seconds between checkpoints of the votes of an input.
        progress: True for a progress bar.
        keywords: noise, rule, inputs, model and workers as on the command line; see
            `onnxcert.api.keywords.RunKeywords`.

    Raises:
        OnnxcertError: the model, the inputs, the folder or a keyword cannot be used.
        KeyboardInterrupt: Ctrl-C; finished work is saved, and the same call resumes.
    """
    del preset  # its values are among the keywords
    runs = prepare_runs(
        model,
        inputs,
        n=n,
        n0=n0,
        selection=selection,
        seed=seed,
        nonrobust=nonrobust,
        out=out,
        pictures=pictures,
        batch_size=batch_size,
        leak_check=leak_check,
        checkpoint=checkpoint,
        **keywords,
    )
    if len(runs) > 1:
        raise ParameterError(
            "certify_many takes one output of the model, got several; call it once for each."
        )
    run = runs[0]
    with ExitStack() as stack:
        if isinstance(progress, ProgressListener):
            run.watcher = progress
        elif progress:
            run.watcher = stack.enter_context(Bar())
        return finish(run)


def finish(run: Run) -> FinishedRun:
    """Execute a run and return its results.

    Raises:
        InputError: no input could be used.
    """
    summary = run.execute(random_seed())
    if summary is None:
        raise InputError(
            f"none of {len(run.skipped)} inputs could be used; the first: "
            f"{next(iter(run.skipped.values()), 'there are no inputs')}"
        )
    warnings = (run.figures.sentence(),) if run.figures.missing else ()
    return FinishedRun(run.store, Report(summary), run.skipped, warnings)
