"""The command `onnxcert certify`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from onnxcert.cli import SOME_SKIPPED
from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.base import N0, AsJson, ModelPath, PerClass, Selection
from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.inputs import InputOptions
from onnxcert.cli.options.noise import NoiseOptions
from onnxcert.cli.options.parallel import ParallelOptions
from onnxcert.cli.options.parsing import parse_draws_or_off, parse_seconds
from onnxcert.cli.options.rule import RuleOptions
from onnxcert.cli.options.runtime import RunningOptions, load_model
from onnxcert.cli.questions import add_run_settings
from onnxcert.cli.running import default_folder, execute, result_object, resume_command
from onnxcert.data.paths import safe_name
from onnxcert.errors import ParameterError
from onnxcert.files.inside import inside
from onnxcert.model.bundled import find_model
from onnxcert.model.contract.question import MissingSettings
from onnxcert.model.detect.detect import read_stated
from onnxcert.report.tables.table import table
from onnxcert.results import ResultStore
from onnxcert.run.provenance import collect_parameters
from onnxcert.run.run import Run
from onnxcert.statistics.settings import Settings
from onnxcert.statistics.stopping import Stopping


def command(
    context: typer.Context,
    model: ModelPath,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Image or point cloud files, folders or glob patterns. Default: the sample inputs "
            "next to the model."
        ),
    ] = None,
    n: Annotated[
        int, typer.Option(help="Number of noise samples (with --looks: the maximum).")
    ] = 100,
    n0: N0 = 10,
    selection: Selection = "pooled",
    until: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Stop at an interim look when this share of components is certified.",
        ),
    ] = None,
    futility: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Stop at an interim look if 100 more noise samples are expected to certify less "
            "than this share more.",
        ),
    ] = None,
    seconds_each: Annotated[
        float | None,
        typer.Option(
            "--time",
            parser=parse_seconds,
            metavar="TIME",
            help="Stop each input at the last interim look that fits into this time, e.g. 60s or "
            "2m.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the noise. Default: random, stored in the results."),
    ] = None,
    nonrobust: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Baseline model, run on the clean inputs (first row of the table). Contract "
            "options apply to both models; if they differ, store each contract with inspect "
            "--write.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Results folder. Default: a folder in onnxcert-results, one per model and "
            "settings. Run the same command again to resume an interrupted run.",
        ),
    ] = None,
    pictures: Annotated[bool, typer.Option(help="Save one figure per input, or none.")] = True,
    per_class: PerClass = False,
    as_json: AsJson = False,
    checkpoint: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Interval between checkpoints of the vote counts, in seconds.",
        ),
    ] = 60.0,
    leak_check: Annotated[
        int | None,
        typer.Option(
            parser=parse_draws_or_off,
            metavar="M|off",
            help="Batch-invariance check: run M noise samples of each input again in other batches "
            "(default: computed). If a prediction differs, all inputs are counted again with one "
            "sample per pass.",
        ),
    ] = None,
    *,
    rule_options: RuleOptions,
    noise: NoiseOptions,
    input_options: InputOptions,
    running: RunningOptions,
    parallel: ParallelOptions,
    contract_options: ContractOptions,
) -> int:
    """Certify the model's predictions on inputs, store the votes and print the table."""
    given = contract_options.collect()
    path = find_model(model)
    if not checkpoint > 0:
        raise ParameterError(f"--checkpoint must be more than 0 seconds, got {checkpoint}.")
    shard = parallel.get_shard(seed)
    file = load_model(path)
    other_file = load_model(find_model(nonrobust)) if nonrobust else None
    stated = read_stated(file, given)
    listing = input_options.list_inputs(path, inputs or [], stated.modality)
    if listing.categories and "categories" not in {*given, *stated.sources}:
        given = {**given, "categories": listing.categories}

    ignore_label = input_options.get_ignore_label(listing, file, stated.modality)

    def prepare(head: str | None) -> Run:
        """Return the run for the output `head`; None for the output of the contract."""
        fields = {**given, **({} if head is None else {"output": head})}
        names = input_options.get_class_names(listing)
        try:
            segmenter = running.open_model(file, fields, driver, names=names)
        except MissingSettings as error:
            raise add_run_settings(error, noise, running, listing) from None
        other = running.open_model(other_file, fields, driver) if other_file else None
        input_options.check_category(segmenter.entry)
        settings = Settings(
            perturbation=noise.build(segmenter),
            n=n,
            n0=n if rule_options.procedure == "predict" else n0,
            selection=selection,  # type: ignore[arg-type]
            rule=rule_options.build(n, inputs=len(listing.items), whole=segmenter.classifies),
            stopping=Stopping(until=until, futility=futility, seconds=seconds_each),
            leak_check=leak_check,
        )
        workers = parallel.build_workers(segmenter, other, running.device_options)
        parameters = collect_parameters(
            segmenter, other, listing, settings, ignore_label, segmenter.backend.generator
        )
        folder = out or default_folder(path, parameters, seed, shard)
        return Run(
            segmenter=segmenter,
            nonrobust=other,
            listing=listing,
            settings=settings,
            store=ResultStore(
                inside(folder, safe_name(head)) if head and len(heads) > 1 else folder
            ),
            seed=seed,
            shard=shard,
            crew=workers,
            class_names=names,
            ignore_label=ignore_label,
            batch_size=running.batch_size,
            pictures=pictures,
            checkpoint_seconds=checkpoint,
        )

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
            results[head or ""] = result_object(run, summary, started)
        else:
            print(text)
            print(f"\nresults in {run.store.folder}")
        for name, reason in run.skipped.items():
            print(f"onnxcert: skipped {name}: {reason}", file=sys.stderr)
            status = SOME_SKIPPED
        started = time.perf_counter()
    if as_json:
        found = {"heads": results} if len(heads) > 1 else next(iter(results.values()))
        print_object("certify", found)
    return status
