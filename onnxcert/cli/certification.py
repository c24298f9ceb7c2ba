"""From the options of `onnxcert certify` to its runs, their results and the exit status."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from onnxcert.cli.config import write_config
from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.inputs import InputOptions, read_listed_inputs
from onnxcert.cli.options.noise import NoiseOptions
from onnxcert.cli.options.output import OutputOptions
from onnxcert.cli.options.parallel import ParallelOptions
from onnxcert.cli.options.rule import RuleOptions
from onnxcert.cli.options.runtime import RunningOptions, load_model
from onnxcert.cli.options.sampling import SamplingOptions
from onnxcert.cli.presets import QUICK
from onnxcert.cli.questions import add_run_settings
from onnxcert.cli.quick import choose_quick_n
from onnxcert.cli.running import Shown, default_folder, execute, result_object, resume_command
from onnxcert.cli.skipped import print_skipped
from onnxcert.data.paths import safe_name
from onnxcert.errors import ParameterError
from onnxcert.files.inside import inside
from onnxcert.model.bundled import find_model
from onnxcert.model.contract.question import MissingSettings
from onnxcert.model.detect.detect import read_stated
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.report.tables.table import table
from onnxcert.results import ResultStore
from onnxcert.run.provenance import collect_parameters
from onnxcert.run.run import Run
from onnxcert.statistics.settings import Settings
from onnxcert.statistics.stopping import Stopping

SOME_SKIPPED = 3


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asks for: the arguments, and one field a group of options."""

    model: str
    inputs: tuple[str, ...]
    contract: ContractOptions
    running: RunningOptions
    input_options: InputOptions
    noise: NoiseOptions
    sampling: SamplingOptions
    rule: RuleOptions
    parallel: ParallelOptions
    output: OutputOptions

    def __post_init__(self) -> None:
        if not self.output.checkpoint > 0:
            raise ParameterError(
                f"--checkpoint must be more than 0 seconds, got {self.output.checkpoint}."
            )
        if self.output.quiet and self.output.verbose:
            raise ParameterError("--quiet and --verbose exclude each other; give only one of them.")

    def settings(self, n: int, segmenter: OnnxSegmenter, inputs: int) -> Settings:
        """Return the settings with n draws."""
        sampling = self.sampling
        return Settings(
            perturbation=self.noise.build(segmenter),
            n=n,
            n0=n if self.rule.procedure == "predict" else sampling.n0,
            selection=sampling.selection,  # type: ignore[arg-type]
            rule=self.rule.build(n, inputs=inputs, whole=segmenter.classifies),
            stopping=Stopping(
                until=sampling.until, futility=sampling.futility, seconds=sampling.time
            ),
            leak_check=sampling.leak_check,
        )


def certify(request: Request, context: Any) -> int:
    """Certify all inputs, print the results and return the exit status.

    Args:
        request: What was asked.
        context: Context of the command: its command line, the start of the process, and the values
            that were asked.
    """
    request = replace(request, inputs=tuple(read_listed_inputs(request.inputs)))
    output, started = request.output, context.obj["started"]
    runs = _prepare(request, context)
    if output.save_config is not None:
        asked = {**context.meta["asked"], "inputs": request.inputs or None}
        write_config(output.save_config, context.command.get_params(context), asked)
    results: dict[str, Any] = {}
    status = 0
    for head, run in runs.items():
        run.clock.startup += time.perf_counter() - started
        summary = execute(
            run,
            shown=Shown(
                header=not (output.as_json or output.quiet),
                bar=not output.quiet,
                details=output.verbose,
                origins=_describe_origins(context),
            ),
            resume_command=resume_command(context.obj["arguments"], output.out, run, len(runs)),
        )
        if isinstance(summary, int):
            return summary
        writing = time.perf_counter()
        text = table(summary, per_class=output.per_class)
        run.clock.report += time.perf_counter() - writing
        if output.as_json:
            results[head] = result_object(run, summary, str(find_model(request.model)), started)
        else:
            print(text)
            print(f"\nresults in {run.store.folder}")
        print_skipped(run.skipped)
        status = SOME_SKIPPED if run.skipped else status
        started = time.perf_counter()
    if output.as_json:
        found = {"heads": results} if len(runs) > 1 else next(iter(results.values()))
        print(json.dumps(found, allow_nan=False))
    return status


def _describe_origins(context: Any) -> Mapping[str, str]:
    """Return the flags that a preset or a file set, with their origin."""
    sources = {p.name: p for p in context.command.get_params(context)}
    return {
        sources[name].opts[0]: origin
        for name, origin in context.meta.get("origins", {}).items()
        if context.get_parameter_source(name).name == "DEFAULT_MAP"
    }


def _prepare(request: Request, context: Any) -> dict[str, Run]:
    """Return the run of each output in --output; with one output its key is empty.

    Raises:
        OnnxcertError: The model, an input or an option cannot be used.
    """
    given = request.contract.collect()
    path = find_model(request.model)
    running, options, parallel = request.running, request.input_options, request.parallel
    sampling, output = request.sampling, request.output
    shard = parallel.get_shard(sampling.seed)
    quiet = output.quiet
    file = load_model(path, quiet=quiet)
    other_file = load_model(find_model(output.nonrobust), quiet=quiet) if output.nonrobust else None
    stated = read_stated(file, given)
    listing = options.list_inputs(path, request.inputs, stated.modality)
    if listing.categories and "categories" not in {*given, *stated.sources}:
        given = {**given, "categories": listing.categories}
    ignore_label = options.get_ignore_label(listing, file, stated.modality)
    names = options.get_class_names(listing)
    driver = parallel.driver_options(running.device_options)
    heads = given["output"].split(",") if "output" in given else [""]

    def prepare(head: str) -> Run:
        fields = {**given, **({"output": head} if head else {})}
        try:
            segmenter = running.open_model(file, fields, driver, names=names, quiet=quiet)
        except MissingSettings as error:
            raise add_run_settings(error, request.noise, running, listing) from None
        other = running.open_model(other_file, fields, driver, quiet=quiet) if other_file else None
        options.check_category(segmenter.entry)

        def make_settings(n: int) -> Settings:
            return request.settings(n, segmenter, len(listing.items))

        if sampling.preset == QUICK and not _is_given(context, "n"):
            settings = choose_quick_n(segmenter, listing, request.rule, sampling.n0, make_settings)
        else:
            settings = make_settings(sampling.n)
        workers = parallel.build_workers(segmenter, other, running.device_options)
        parameters = collect_parameters(
            segmenter, other, listing, settings, ignore_label, segmenter.backend.generator
        )
        folder = output.out or default_folder(path, parameters, sampling.seed, shard)
        return Run(
            segmenter=segmenter,
            nonrobust=other,
            listing=listing,
            settings=settings,
            store=ResultStore(inside(folder, safe_name(head)) if len(heads) > 1 else folder),
            seed=sampling.seed,
            shard=shard,
            crew=workers,
            class_names=names,
            ignore_label=ignore_label,
            batch_size=running.batch_size,
            pictures=output.pictures,
            checkpoint_seconds=output.checkpoint,
        )

    return {head: prepare(head) for head in heads}


def _is_given(context: Any, name: str) -> bool:
    """Return whether the command line or a file sets the option `name`."""
    return context.get_parameter_source(name).name != "DEFAULT"
