"""The command `onnxcert certify`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import typer

from onnxcert.cli.label_facts import check_label_offset, get_ignore_label
from onnxcert.cli.open_facts import add_run_settings
from onnxcert.cli.options.contract import with_contract_options
from onnxcert.cli.options.inputs import InputOptions, with_input_options
from onnxcert.cli.options.loading import load_model
from onnxcert.cli.options.noise import NoiseOptions, with_noise_options
from onnxcert.cli.options.parallel import ParallelOptions, with_parallel_options
from onnxcert.cli.options.parsing import parse_draws_or_off, parse_seconds
from onnxcert.cli.options.rule import RuleOptions, with_rule_options
from onnxcert.cli.options.runtime import RunningOptions, with_running_options
from onnxcert.cli.running import (
    SOME_SKIPPED,
    default_folder,
    execute,
    result_object,
    resume_command,
)
from onnxcert.data.paths import safe_name
from onnxcert.errors import ParameterError
from onnxcert.files.inside import inside
from onnxcert.model.bundled import find_model
from onnxcert.model.contract.question import MissingSettings
from onnxcert.model.detect.detect import detect_modality, file_gives
from onnxcert.report.tables.table import table
from onnxcert.results import ResultStore
from onnxcert.run.run import Run
from onnxcert.statistics.settings import Settings
from onnxcert.statistics.stopping import Stopping


@with_rule_options
@with_noise_options
@with_input_options
@with_running_options
@with_parallel_options
@with_contract_options
def command(
    context: typer.Context,
    model: str = typer.Argument(
        ..., help="ONNX file, folder with an ONNX file, or bundled model (street, parts)."
    ),
    inputs: list[str] | None = typer.Argument(
        None,
        help="Image or point cloud files, folders or glob patterns. Default: the sample inputs "
        "next to the model.",
    ),
    n: int = typer.Option(100, "--n", help="Number of noise samples (with --looks: the maximum)."),
    n0: int = typer.Option(
        10, "--n0", help="Number of noise samples that select the candidate class."
    ),
    selection: str = typer.Option(
        "pooled",
        "--selection",
        help="pooled: the first n0 of the n noise samples select the candidate class; split: n0 "
        "extra samples select it.",
    ),
    until: float | None = typer.Option(
        None,
        "--until",
        metavar="SHARE",
        help="Stop at an interim look when this share of components is certified.",
    ),
    futility: float | None = typer.Option(
        None,
        "--futility",
        metavar="SHARE",
        help="Stop at an interim look when 100 more noise samples are expected to certify less "
        "than this additional share.",
    ),
    seconds_each: Any | None = typer.Option(
        None,
        "--time",
        parser=parse_seconds,
        metavar="TIME",
        help="Stop each input at the last interim look that fits into this time, e.g. 60s or 2m.",
    ),
    seed: int | None = typer.Option(
        None, "--seed", help="Seed of the noise. Default: random, stored in the results."
    ),
    nonrobust: str | None = typer.Option(
        None,
        "--nonrobust",
        metavar="MODEL",
        help="Baseline model, run on the clean inputs (first row of the table). Contract options "
        "apply to both models; if they differ, store each contract with inspect --write.",
    ),
    out: Path | None = typer.Option(
        None,
        "--out",
        metavar="DIR",
        help="Results folder. Default: a folder in onnxcert-results, one per model and settings. "
        "Run the same command again to resume an interrupted run.",
    ),
    pictures: bool = typer.Option(
        True, "--pictures/--no-pictures", help="Save one figure per input, or none."
    ),
    per_class: bool = typer.Option(False, "--per-class", help="Print the IoU of each class."),
    as_json: bool = typer.Option(
        False, "--json", help="Print only one JSON object to standard output."
    ),
    checkpoint: float = typer.Option(
        60.0,
        "--checkpoint",
        metavar="SECONDS",
        help="Interval between checkpoints of the vote counts, in seconds.",
    ),
    leak_check: Any | None = typer.Option(
        None,
        "--leak-check",
        parser=parse_draws_or_off,
        metavar="M|off",
        help="Batch-invariance check: run M noise samples of each input again in other batches "
        "(default: computed). If a prediction differs, all inputs are counted again with one "
        "sample per pass.",
    ),
    *,
    given: dict[str, Any],
    input_options: InputOptions,
    noise: NoiseOptions,
    rule_options: RuleOptions,
    running: RunningOptions,
    parallel: ParallelOptions,
) -> int:
    """Certify the model's predictions on inputs, store the votes and print the table."""
    path = find_model(model)
    if not checkpoint > 0:
        raise ParameterError(f"--checkpoint must be more than 0 seconds, got {checkpoint}.")
    parallel.check_seed(seed)
    file = load_model(path)
    other_file = load_model(find_model(nonrobust)) if nonrobust else None
    kind = detect_modality(file, given)
    listing = input_options.list_inputs(path, inputs or [], kind)
    if listing.categories and "categories" not in given and not file_gives(file, "categories"):
        given = {**given, "categories": listing.categories}

    ignore_label = input_options.ignore_label(listing)
    if kind == "picture":
        check_label_offset(file, listing, ignore_label)
        ignore_label = get_ignore_label(file, listing, ignore_label)

    def prepare(head: str | None) -> Run:
        """Return the run for the output `head`; None for the output of the contract."""
        fields = {**given, **({} if head is None else {"output": head})}
        names = input_options.class_names(listing)
        try:
            segmenter = running.open_model(file, fields, driver, names=names)
        except MissingSettings as error:
            raise add_run_settings(error, noise, running, listing) from None
        other = running.open_model(other_file, fields, driver) if other_file else None
        input_options.check_category(segmenter.entry)
        run = Run(
            segmenter=segmenter,
            nonrobust=other,
            listing=listing,
            settings=Settings(
                perturbation=noise.build(segmenter),
                n=n,
                n0=n if rule_options.procedure == "predict" else n0,
                selection=selection,  # type: ignore[arg-type]
                rule=rule_options.build(n, inputs=len(listing.items), whole=segmenter.classifies),
                stopping=Stopping(until=until, futility=futility, seconds=seconds_each),
                leak_check=leak_check,
            ),
            store=ResultStore("."),
            seed=seed,
            shard=parallel.shard,
            crew=parallel.build_workers(segmenter, other, running.device_options),
            class_names=names,
            ignore_label=ignore_label,
            batch_size=running.batch_size,
            pictures=pictures,
            checkpoint_seconds=checkpoint,
        )
        folder = out or default_folder(path, run, seed)
        run.store = ResultStore(
            inside(folder, safe_name(head)) if head and len(heads) > 1 else folder
        )
        return run

    driver = parallel.driver_options(running.device_options)
    heads = given["output"].split(",") if "output" in given else [None]
    started, arguments = context.obj["started"], context.obj["arguments"]
    results: dict[str, Any] = {}
    status = 0
    for head, run in [(head, prepare(head)) for head in heads]:
        run.clock.startup += time.perf_counter() - started
        summary = execute(
            run,
            print_header=not as_json,
            resume_command=resume_command(arguments, out, run, heads),
        )
        if isinstance(summary, int):
            return summary
        writing = time.perf_counter()
        text = table(summary, per_class=per_class)
        run.clock.report += time.perf_counter() - writing
        if as_json:
            results[head or ""] = result_object(run, summary, str(path), started)
        else:
            print(text)
            print(f"\nresults in {run.store.folder}")
        for name, reason in run.skipped.items():
            print(f"onnxcert: skipped {name}: {reason}", file=sys.stderr)
            status = SOME_SKIPPED
        started = time.perf_counter()
    if as_json:
        found = {"heads": results} if len(heads) > 1 else next(iter(results.values()))
        print(json.dumps(found, allow_nan=False))
    return status
