"""From the options of `onnxcert certify` to its runs, their results and the exit status."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from onnxcert.api.preparation import prepare_runs
from onnxcert.api.presets import QUICK
from onnxcert.cli import SOME_SKIPPED
from onnxcert.cli.config import write_config
from onnxcert.cli.input_list import print_left_out, read_listed_inputs
from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.inputs import InputOptions
from onnxcert.cli.options.noise import NoiseOptions
from onnxcert.cli.options.output import OutputOptions
from onnxcert.cli.options.parallel import ParallelOptions
from onnxcert.cli.options.parsing import parse_ignored
from onnxcert.cli.options.rule import RuleOptions
from onnxcert.cli.options.runtime import RunningOptions, load_model, print_if_slow
from onnxcert.cli.options.sampling import SamplingOptions
from onnxcert.cli.running import Shown, execute, result_object, resume_command
from onnxcert.cli.skipped import print_skipped
from onnxcert.errors import ParameterError
from onnxcert.model.bundled import find_model
from onnxcert.report.tables.table import table
from onnxcert.run.run import Run


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
        if self.output.quiet and self.output.verbose:
            raise ParameterError("--quiet and --verbose exclude each other; give only one of them.")

    def prepare(self, *, quick: bool) -> list[Run]:
        """Return the runs, of which nothing is drawn yet: one for each output in --output.

        Args:
            quick: Whether the number of draws is to be computed.

        Raises:
            OnnxcertError: The model, an input or an option cannot be used.
        """
        sampling, output, running = self.sampling, self.output, vars(self.running)
        keywords: dict[str, Any] = {
            **vars(self.rule),
            **vars(self.noise),
            **vars(self.input_options),
            **vars(self.parallel),
            **{name: value for name, value in running.items() if name != "batch_size"},
            **self.contract.collect(),
            "ignore_label": parse_ignored(self.input_options.ignore_label or ()),
        }
        quiet, path = output.quiet, find_model(self.model)
        file = load_model(path, quiet=quiet)
        other = None
        if output.nonrobust is not None:
            other = load_model(find_model(output.nonrobust), quiet=quiet)
        with print_if_slow(f"opening {path} ...", quiet=quiet):
            return prepare_runs(
                file,
                self.inputs or None,
                n=None if quick else sampling.n,
                n0=sampling.n0,
                selection=sampling.selection,  # type: ignore[arg-type]
                seed=sampling.seed,
                nonrobust=other,
                out=output.out,
                pictures=output.pictures,
                batch_size=self.running.batch_size,
                leak_check=sampling.leak_check,
                checkpoint=output.checkpoint,
                until=sampling.until,
                futility=sampling.futility,
                time=sampling.time,
                **keywords,
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
    quick = request.sampling.preset == QUICK and not _is_given(context, "n")
    runs = request.prepare(quick=quick)
    if not output.quiet:
        print_left_out(runs[0].listing)
    if output.save_config is not None:
        asked = {**context.meta["asked"], "inputs": request.inputs or None}
        write_config(output.save_config, context.command.get_params(context), asked)
    heads = (request.contract.output or "").split(",")
    results: dict[str, Any] = {}
    status = 0
    for head, run in zip(heads, runs, strict=True):
        run.clock.startup += time.perf_counter() - started
        summary = execute(
            run,
            shown=Shown(
                header=not (output.as_json or output.quiet),
                bar=not output.quiet,
                details=output.verbose,
                origins=_find_origins(context),
            ),
            resume_command=resume_command(context.obj["arguments"], output.out, run, len(runs)),
        )
        if isinstance(summary, int):
            return summary
        writing = time.perf_counter()
        text = table(summary, per_class=output.per_class)
        run.clock.report += time.perf_counter() - writing
        if output.as_json:
            results[head] = result_object(run, summary, started)
        else:
            print(text)
            print(f"\nresults in {run.store.folder}")
        print_skipped(run.skipped)
        status = SOME_SKIPPED if run.skipped else status
        started = time.perf_counter()
    if output.as_json:
        found = {"heads": results} if len(runs) > 1 else next(iter(results.values()))
        print_object("certify", found)
    return status


def _is_given(context: Any, name: str) -> bool:
    """Return whether the command line or a file sets the option `name`."""
    return bool(context.get_parameter_source(name).name != "DEFAULT")


def _find_origins(context: Any) -> Mapping[str, str]:
    """Return the flags that a preset or a file set, with their origin."""
    sources = {p.name: p for p in context.command.get_params(context)}
    return {
        sources[name].opts[0]: origin
        for name, origin in context.meta.get("origins", {}).items()
        if context.get_parameter_source(name).name == "DEFAULT_MAP"
    }
