"""The command `onnxcert certify`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.inputs import InputOptions
from onnxcert.cli.options.noise import NoiseOptions
from onnxcert.cli.options.output import OutputOptions
from onnxcert.cli.options.parallel import ParallelOptions
from onnxcert.cli.options.rule import RuleOptions
from onnxcert.cli.options.runtime import RunningOptions
from onnxcert.cli.options.sampling import SamplingOptions

MOST_USED: Final = (
    *("labels", "ignore_label", "sigma", "n", "tau", "alpha", "preset", "device", "out", "config"),
)


def read_defaults(context: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of --preset and --config, which options of the command line replace.

    Also store in `context.meta` where each value comes from (`origins`) and what was asked in the
    file and on the command line (`asked`).

    Args:
        context: Context of the command.
        given: Values on the command line, by parameter.
    """
    from onnxcert.api.presets import get_preset
    from onnxcert.cli.config import read_config

    stored: dict[str, Any] = {}
    path = given.get("config")
    if path is not None:
        stored = read_config(Path(path), context.command.get_params(context))
    for one, other in (("quiet", "verbose"), ("verbose", "quiet")):
        if one in given:
            stored.pop(other, None)  # the command line wins
    preset = given.get("preset", stored.get("preset"))
    chosen = {} if preset is None else get_preset(preset)
    values = {name: str(value) for name, value in chosen.items() if value is not None}
    context.meta["origins"] = dict.fromkeys(values, f"--preset {preset}") | dict.fromkeys(
        stored, str(path)
    )
    context.meta["asked"] = {**stored, **given}
    return {**values, **stored}


def command(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="ONNX file, folder with an ONNX file, or bundled model (street, parts).",
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUTS",
            help="Image or point cloud files, folders or glob patterns; - reads a list of them "
            "from standard input, one a line. Default: the sample inputs next to the model.",
        ),
    ] = None,
    *,
    contract: ContractOptions,
    running: RunningOptions,
    input_options: InputOptions,
    noise: NoiseOptions,
    sampling: SamplingOptions,
    rule: RuleOptions,
    parallel: ParallelOptions,
    output: OutputOptions,
) -> int:
    """Certify the model's predictions on inputs, store the votes and print the table."""
    from onnxcert.cli.certification import Request, certify

    return certify(
        Request(
            model=model,
            inputs=tuple(inputs or ()),
            contract=contract,
            running=running,
            input_options=input_options,
            noise=noise,
            sampling=sampling,
            rule=rule,
            parallel=parallel,
            output=output,
        ),
        context,
    )
