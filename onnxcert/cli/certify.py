"""`onnxcert certify`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import typer

from onnxcert.cli.contract_options import with_contract_options
from onnxcert.cli.input_options import Chosen, with_input_options
from onnxcert.cli.label_facts import ignored, refuse_unreduced
from onnxcert.cli.loading import loaded
from onnxcert.cli.noise_options import Noise, with_noise_options
from onnxcert.cli.open_facts import with_the_rest
from onnxcert.cli.parallel_options import Parallel, with_parallel_options
from onnxcert.cli.parsing import draws_or_off, seconds
from onnxcert.cli.rule_options import AskedRule, with_rule_options
from onnxcert.cli.running import (
    SOME_SKIPPED,
    again,
    default_folder,
    executed,
    result,
)
from onnxcert.cli.running_options import Running, with_running_options
from onnxcert.decision.stopping import Stopping
from onnxcert.errors import ParameterError
from onnxcert.inputs.listing import safe_name
from onnxcert.inside import inside
from onnxcert.model.bundled import find_model
from onnxcert.model.inference import medium, stored
from onnxcert.model.question import OpenFacts
from onnxcert.report.table import table
from onnxcert.run import Run
from onnxcert.settings import Settings
from onnxcert.store import ResultStore


@with_rule_options
@with_noise_options
@with_input_options
@with_running_options
@with_parallel_options
@with_contract_options
def command(
    context: typer.Context,
    model: str = typer.Argument(
        ..., help="ONNX file, a folder with one, or a bundled model: street, parts."
    ),
    inputs: list[str] | None = typer.Argument(
        None,
        help="Pictures or point clouds, folders or globs; without any, the samples beside the "
        "model.",
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
    leak_check: Any | None = typer.Option(
        None,
        "--leak-check",
        parser=draws_or_off,
        metavar="M|off",
        help="Run M draws of each input again without their batch mates; default: computed. "
        "If any answer differs, all inputs are counted again with one draw per pass.",
    ),
    *,
    given: dict[str, Any],
    chosen: Chosen,
    noise: Noise,
    asked: AskedRule,
    running: Running,
    parallel: Parallel,
) -> int:
    """Certify the model's answers on inputs, keep the evidence and print the table."""
    path = find_model(model)
    if not checkpoint > 0:
        raise ParameterError(f"--checkpoint must be a number of seconds above 0, got {checkpoint}.")
    parallel.check_seed(seed)
    file = loaded(path)
    other_file = loaded(find_model(nonrobust)) if nonrobust else None
    kind = medium(file, given)
    listing = chosen.listing(path, inputs or [], kind)
    if listing.categories and "categories" not in given and not stored(file, "categories"):
        given = {**given, "categories": listing.categories}

    ignore_label = chosen.ignored(listing)
    if kind == "picture":
        refuse_unreduced(file, listing, ignore_label)
        ignore_label = ignored(file, listing, ignore_label)

    def prepared(head: str | None) -> Run:
        """The run for one output of the model."""
        said = {**given, **({} if head is None else {"output": head})}
        names = chosen.names(listing)
        try:
            segmenter = running.opened(file, said, here, names=names)
        except OpenFacts as error:
            raise with_the_rest(error, noise, running, listing) from None
        other = running.opened(other_file, said, here) if other_file else None
        chosen.check_category(segmenter.entry)
        run = Run(
            segmenter=segmenter,
            nonrobust=other,
            listing=listing,
            settings=Settings(
                perturbation=noise.of(segmenter),
                n=n,
                n0=n if asked.procedure == "predict" else n0,
                selection=selection,  # type: ignore[arg-type]
                rule=asked.rule(n, inputs=len(listing.items), whole=segmenter.classifies),
                stopping=Stopping(until=until, futility=futility, seconds=seconds_each),
                leak_check=leak_check,
            ),
            store=ResultStore("."),
            seed=seed,
            shard=parallel.shard,
            crew=parallel.crew(segmenter, other, running.options),
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

    here = parallel.here(running.options)
    heads = given["output"].split(",") if "output" in given else [None]
    started, arguments = context.obj["started"], context.obj["arguments"]
    results: dict[str, Any] = {}
    status = 0
    for head, run in [(head, prepared(head)) for head in heads]:
        run.clock.startup += time.perf_counter() - started
        summary = executed(run, announced=not as_json, again=again(arguments, out, run, heads))
        if isinstance(summary, int):
            return summary
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
