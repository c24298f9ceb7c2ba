"""`onnxcert certify`."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from onnxcert.certification import fresh_seed
from onnxcert.cli.interrupt import stopping_on_signal
from onnxcert.cli.parsing import INPUT, MEAN, OUTPUT, RANGE, STD, Numbers, contract_fields, named
from onnxcert.cli.progress import Bar
from onnxcert.correction import CORRECTIONS
from onnxcert.errors import InputError, ParameterError
from onnxcert.inputs import LABEL_MAPS, READERS, Listing, read_class_names, select, with_coding
from onnxcert.model.bundled import find_model, samples
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.perturbation import PERTURBATIONS
from onnxcert.report.table import json_object, table
from onnxcert.run import Run
from onnxcert.settings import Settings
from onnxcert.store import ResultStore
from onnxcert.watcher import Clock

SOME_SKIPPED, INTERRUPTED = 3, 130


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
    every: int | None = typer.Option(None, "--every", help="Take every so-manieth input."),
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
    tau: float = typer.Option(0.75, "--tau", help="What P(vote = class) must exceed, from 0.5."),
    n: int = typer.Option(100, "--n", help="Noisy draws that are tested."),
    n0: int = typer.Option(10, "--n0", help="Draws that choose the candidate class."),
    alpha: float = typer.Option(0.001, "--alpha", help="Chance that any certificate is wrong."),
    alpha_scope: str = typer.Option(
        "input",
        "--alpha-scope",
        help="input: alpha is for each input by itself; dataset: all inputs share it.",
    ),
    correction: str = typer.Option(
        "holm",
        "--correction",
        help=f"Multiple-testing procedure: {', '.join(CORRECTIONS)}.",
    ),
    selection: str = typer.Option(
        "pooled",
        "--selection",
        help="pooled: the first n0 of the n draws choose the candidate; split: n0 extra draws do.",
    ),
    seed: int | None = typer.Option(
        None, "--seed", help="Seed of the draws; fresh and recorded if not given."
    ),
    scale: float = typer.Option(
        1.0, "--scale", help="The model sees the noisy picture resized by this factor."
    ),
    value_range: Any | None = RANGE,
    mean: Any | None = MEAN,
    std: Any | None = STD,
    input_name: str | None = INPUT,
    output_name: str | None = OUTPUT,
    nonrobust: str | None = typer.Option(
        None,
        "--nonrobust",
        metavar="MODEL",
        help="Another model, shown the clean inputs, for the table's first row.",
    ),
    device: str = typer.Option("auto", "--device", help="auto, cpu, cuda or cuda:1."),
    threads: int = typer.Option(0, "--threads", help="Threads on the CPU; 0 for all cores."),
    batch_size: int | None = typer.Option(
        None, "--batch-size", help="Draws per pass; chosen if not given. Never changes a result."
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
) -> int:
    """Certify the model's answer on pictures, keep the evidence and print the table."""
    clock = Clock()
    path = find_model(model)
    given = contract_fields(value_range, mean, std, input_name, output_name)
    for option, value in (("--batch-size", batch_size), ("--threads", threads or None)):
        if value is not None and value < 1:
            raise ParameterError(f"{option} must be at least 1, got {value}.")
    if not checkpoint > 0:
        raise ParameterError(f"--checkpoint must be a number of seconds above 0, got {checkpoint}.")
    listing = select(_listing(path, inputs or [], labels, dataset), limit=limit, every=every)
    listing = with_coding(listing, palette=palette, label_map=label_map, ignore_label=ignore_label)
    options: dict[str, Any] = {"scale": scale, "device": device, "threads": threads, **given}
    segmenter = OnnxSegmenter.open(path, **options)
    other = OnnxSegmenter.open(find_model(nonrobust), **options) if nonrobust else None
    names = read_class_names(class_names) if class_names else listing.class_names or ()
    noise = named(PERTURBATIONS, perturbation, "--perturbation")
    settings = Settings(
        perturbation=noise(**_noise_parameters(sigma, segmenter)),
        tau=tau,
        n=n,
        n0=n0,
        alpha=alpha,
        alpha_scope=alpha_scope,  # type: ignore[arg-type]
        inputs=len(listing.items),
        correction=correction,
        selection=selection,  # type: ignore[arg-type]
    )
    run = Run(
        segmenter=segmenter,
        nonrobust=other,
        listing=listing,
        settings=settings,
        store=ResultStore("."),
        seed=seed,
        class_names=tuple(names),
        ignore_label=listing.ignore_label if ignore_label is None else ignore_label,
        batch_size=batch_size,
        pictures=pictures,
        checkpoint_seconds=checkpoint,
        clock=clock,
    )
    run.store = ResultStore(out or _default_folder(path, run, seed))
    console = Console(stderr=True)
    if not as_json:
        print(_header(run), file=sys.stderr)
    clock.startup += time.perf_counter() - context.obj["started"]
    try:
        with ExitStack() as stack:
            if console.is_terminal:
                run.watcher = stack.enter_context(Bar(console))
            stack.enter_context(stopping_on_signal(run))
            summary = run.execute(fresh_seed())
    except KeyboardInterrupt:
        print(
            f"onnxcert: interrupted; what is done is kept in {run.store.folder}, and the same "
            f"command with --out {run.store.folder} goes on from there.",
            file=sys.stderr,
        )
        return INTERRUPTED
    skipped = [f"{name}: {reason}" for name, reason in run.skipped.items()]
    if summary is None:
        raise InputError(
            f"none of {len(listing.items)} inputs could be used; the first: "
            f"{next(iter(run.skipped.values()), 'there is none')}"
        )
    started = time.perf_counter()
    text = table(summary, per_class=per_class)
    clock.report += time.perf_counter() - started
    if as_json:
        result = json_object(
            summary,
            model=str(path),
            settings=settings.as_dict(),
            skipped=skipped,
            warnings=summary.notes,
            seconds={
                "total": time.perf_counter() - context.obj["started"],
                "forward": segmenter.seconds + (other.seconds if other else 0.0),
                "startup": clock.startup,
                "report": clock.report,
            },
            out=str(run.store.folder),
        )
        print(json.dumps(result, allow_nan=False))
    else:
        print(text)
        print(f"\nresults in {run.store.folder}")
    for line in skipped:
        print(f"onnxcert: skipped {line}", file=sys.stderr)
    return SOME_SKIPPED if skipped else 0


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


def _default_folder(model: Path, run: Run, seed: int | None) -> Path:
    """A folder that another model or other parameters never share."""
    name = model.resolve().parent.name if model.name == "model.onnx" else model.stem
    asked = json.dumps({**run.asked(), "seed": seed}, sort_keys=True)
    return Path("onnxcert-results") / f"{name}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"


def _header(run: Run) -> str:
    """What is about to be done, and on which grounds."""
    contract, session = run.segmenter.contract, run.segmenter.session
    low, high = contract.value_range or (0.0, 1.0)
    source = contract.sources.get("value_range", "")
    lines = [
        f"model   {run.segmenter.file.path} on {session.device} ({session.provider}, "
        f"{session.threads} threads)",
        f"pixels  {contract.channel_order} ({contract.sources.get('channel_order', '')}), "
        f"{low:g} to {high:g} ({source}), mean {_list(contract.mean)}, std {_list(contract.std)}, "
        f"scale {run.segmenter.scale:g}",
        *(f"lint    {f.node} {f.message}" for f in run.segmenter.findings),
    ]
    if session.note:
        lines.append(f"device  {session.note}")
    return "\n".join(lines)


def _list(values: Numbers) -> str:
    return ",".join(f"{v:g}" for v in values) or "none"
