"""`onnxcert certify`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import typer

from onnxcert.cli.contract_options import with_contract_options
from onnxcert.cli.parsing import named, seconds
from onnxcert.cli.rule_options import AskedRule, with_rule_options
from onnxcert.cli.running import INTERRUPTED, SOME_SKIPPED, default_folder, executed, header, result
from onnxcert.cli.running_options import Running, with_running_options
from onnxcert.decision.stopping import Stopping
from onnxcert.errors import InputError, ParameterError
from onnxcert.inputs import LABEL_MAPS, READERS, Listing, read_class_names, select, with_coding
from onnxcert.inputs.listing import safe_name
from onnxcert.model.bundled import find_model, samples
from onnxcert.model.graph import read_model
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.perturbation import PERTURBATIONS
from onnxcert.report.table import table
from onnxcert.run import Run
from onnxcert.settings import Settings
from onnxcert.store import ResultStore


@with_rule_options
@with_running_options
@with_contract_options
def command(
    context: typer.Context,
    model: str = typer.Argument(..., help="ONNX file, or the name of a bundled model: street."),
    inputs: list[str] | None = typer.Argument(
        None, help="Pictures, folders or globs; without any, the samples beside the model."
    ),
    labels: str | None = typer.Option(
        None, "--labels", metavar="PATH", help="Label maps: a folder with the pictures' names."
    ),
    dataset: str = typer.Option(
        "folder", "--dataset", help=f"Layout of the inputs: {', '.join(READERS)}."
    ),
    ignore_label: int | None = typer.Option(
        None, "--ignore-label", metavar="INDEX", help="Label of pixels that do not count."
    ),
    palette: Path | None = typer.Option(
        None,
        "--palette",
        metavar="FILE",
        help="Labels are colours: lines 'r g b name' or 'index r g b name' say which.",
    ),
    label_map: str | None = typer.Option(
        None,
        "--label-map",
        metavar="NAME|FILE",
        help="Labels are other numbers than the model's classes: lines 'from to' say which, or "
        f"{', '.join(LABEL_MAPS)}.",
    ),
    class_names: Path | None = typer.Option(
        None, "--class-names", metavar="FILE", help="Class names, one a line, in order."
    ),
    limit: int | None = typer.Option(None, "--limit", help="Certify the first so many inputs."),
    every: int | None = typer.Option(None, "--every", help="Take every K-th input."),
    perturbation: str = typer.Option(
        "gaussian",
        "--perturbation",
        help=f"The noise, and with it the attack certified against: {', '.join(PERTURBATIONS)}.",
    ),
    sigma: float | None = typer.Option(
        None,
        "--sigma",
        help="Standard deviation of the noise on pixels in [0, 1]; by default the one the model "
        "says it was trained with.",
    ),
    n: int = typer.Option(100, "--n", help="Noisy draws that are tested; with looks the most."),
    n0: int = typer.Option(10, "--n0", help="Draws that choose the candidate class."),
    selection: str = typer.Option(
        "pooled",
        "--selection",
        help="pooled: the first n0 of the n draws choose the candidate; split: n0 extra draws do.",
    ),
    until: float | None = typer.Option(
        None, "--until", metavar="SHARE", help="Stop at a look once this share is certified."
    ),
    futility: float | None = typer.Option(
        None,
        "--futility",
        metavar="SHARE",
        help="Stop at a look once further draws are expected to certify less than this share per "
        "hundred of them.",
    ),
    seconds_each: Any | None = typer.Option(
        None,
        "--time",
        parser=seconds,
        metavar="TIME",
        help="Stop each input at the last look that fits into this time, e.g. 60s or 2m.",
    ),
    seed: int | None = typer.Option(
        None, "--seed", help="Seed of the draws; fresh and recorded if not given."
    ),
    nonrobust: str | None = typer.Option(
        None,
        "--nonrobust",
        metavar="MODEL",
        help="Another model, shown the clean inputs, for the table's first row; flags that say how "
        "to talk to a model go for both, so store the contract of either with inspect --write.",
    ),
    out: Path | None = typer.Option(
        None,
        "--out",
        metavar="DIR",
        help="Where results go; by default a folder of its own under onnxcert-results for each "
        "model and set of parameters. The same command again goes on where it stopped.",
    ),
    pictures: bool = typer.Option(
        True, "--pictures/--no-pictures", help="Draw one picture for each input."
    ),
    per_class: bool = typer.Option(False, "--per-class", help="Print the IoU of each class."),
    as_json: bool = typer.Option(
        False, "--json", help="Print one JSON object to standard output and nothing else there."
    ),
    checkpoint: float = typer.Option(
        60.0, "--checkpoint", metavar="SECONDS", help="How often a long count is kept on disk."
    ),
    *,
    given: dict[str, Any],
    asked: AskedRule,
    running: Running,
) -> int:
    """Certify the model's answer on pictures, keep the evidence and print the table."""
    path = find_model(model)
    if not checkpoint > 0:
        raise ParameterError(f"--checkpoint must be a number of seconds above 0, got {checkpoint}.")
    listing = select(_listing(path, inputs or [], labels, dataset), limit=limit, every=every)
    listing = with_coding(listing, palette=palette, label_map=label_map, ignore_label=ignore_label)
    names = read_class_names(class_names) if class_names else listing.class_names or ()
    file = read_model(path)
    other_file = read_model(find_model(nonrobust)) if nonrobust else None

    def prepared(head: str | None) -> Run:
        """The run for one output of the model."""
        said = {**given, **({} if head is None else {"output": head})}
        segmenter = running.opened(file, said)
        noise = named(PERTURBATIONS, perturbation, "--perturbation")
        run = Run(
            segmenter=segmenter,
            nonrobust=running.opened(other_file, said) if other_file else None,
            listing=listing,
            settings=Settings(
                perturbation=noise(**_noise_parameters(sigma, segmenter)),
                n=n,
                n0=n if asked.procedure == "predict" else n0,
                selection=selection,  # type: ignore[arg-type]
                rule=asked.rule(n, inputs=len(listing.items), whole=segmenter.classifies),
                stopping=Stopping(until=until, futility=futility, seconds=seconds_each),
            ),
            store=ResultStore("."),
            seed=seed,
            class_names=tuple(names),
            ignore_label=listing.ignore_label if ignore_label is None else ignore_label,
            batch_size=running.batch_size,
            pictures=pictures,
            checkpoint_seconds=checkpoint,
        )
        folder = out or default_folder(path, run, seed)
        run.store = ResultStore(folder / safe_name(head) if head and len(heads) > 1 else folder)
        return run

    heads = given["output"].split(",") if "output" in given else [None]
    started = context.obj["started"]
    results: dict[str, Any] = {}
    status = 0
    for head, run in [(head, prepared(head)) for head in heads]:
        run.clock.startup += time.perf_counter() - started
        summary = executed(run, "" if as_json else header(run))
        if summary is None:
            return INTERRUPTED
        writing = time.perf_counter()
        text = table(summary, per_class=per_class)
        run.clock.report += time.perf_counter() - writing
        if as_json:
            results[head or ""] = result(run, summary, str(path), started)
        else:
            print(text)
            print(f"\nresults in {run.store.folder}")
        for name, reason in run.skipped.items():
            print(f"onnxcert: skipped {name}: {reason}", file=sys.stderr)
            status = SOME_SKIPPED
        started = time.perf_counter()
    if as_json:
        whole = {"heads": results} if len(heads) > 1 else next(iter(results.values()))
        print(json.dumps(whole, allow_nan=False))
    return status


def _listing(model: Path, inputs: list[str], labels: str | None, dataset: str) -> Listing:
    """What to certify: the inputs named, or the samples beside the model."""
    if inputs:
        return named(READERS, dataset, "--dataset").list(inputs, labels)
    beside = samples(model)
    if beside is None:
        raise InputError(
            f"no inputs were named and {model} has no samples beside it; name pictures or folders."
        )
    return READERS["folder"].list([str(beside[0])], labels or str(beside[1]))


def _noise_parameters(sigma: float | None, segmenter: OnnxSegmenter) -> dict[str, float]:
    if sigma is None:
        sigma = segmenter.contract.trained_sigma
    if not sigma and sigma != 0.0:
        raise ParameterError(
            f"{segmenter.file.path} does not say which noise it was trained with; give --sigma, "
            "e.g. --sigma 0.25."
        )
    return {"sigma": sigma}
