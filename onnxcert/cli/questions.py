"""What a user must decide about a model: missing settings, and interpretations to choose from."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import typer

from onnxcert.cli.options.contract import ContractOptions
from onnxcert.cli.options.noise import NoiseOptions
from onnxcert.cli.options.runtime import RunningOptions
from onnxcert.data import Listing, read_usable_sizes
from onnxcert.errors import ContractError, OnnxcertError
from onnxcert.model.contract.base import ASSUMED, Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.question import MissingSetting, MissingSettings
from onnxcert.model.detect.detect import detect
from onnxcert.model.detect.trial_passes import try_answers
from onnxcert.model.graph.file import ModelFile


def format_questions(error: ContractError, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the message; for missing settings also each option and the command line with all.

    Args:
        error: Why the command was refused.
        arguments: Its arguments.
    """
    if not isinstance(error, MissingSettings):
        yield str(error)
        return
    yield error.sentence
    for question in error.questions:
        yield f"  {question.flag}: {question.meaning}"
    contract = error.contract
    if isinstance(contract, ImageContract) and contract.sources.get("channel_order") == ASSUMED:
        order, other = contract.channel_order, contract.channel_order[::-1]
        yield f"  assumed: the channels are {order}; pass --channel-order {other} if they are not"
    # Several values are joined by |; `shlex.join` quotes them, so that no shell reads a pipe.
    words = [word for q in error.questions for word in (q.flag, "|".join(q.values)) if word]
    several = any(len(question.values) > 1 for question in error.questions)
    yield f"  complete command{' (keep one of the values separated by |)' if several else ''}:"
    yield f"  onnxcert {shlex.join([*arguments, *words])}"


def add_run_settings(
    error: MissingSettings, noise: NoiseOptions, running: RunningOptions, listing: Listing
) -> MissingSettings:
    """Add to `error` the settings that a run needs besides the contract: noise and input size."""
    contract, more = error.contract, []
    if contract is None:
        return error
    if noise.get_sigma(contract) is None:
        text = "the noise that the model was trained with is unknown; pass --sigma SIGMA"
        modality = contract.modality
        meaning = (
            f"standard deviation of the noise, in {modality.noise_unit}, for example "
            f"{modality.usual_sigma}"
        )
        more.append(MissingSetting(text, flag="--sigma", values=("SIGMA",), meaning=meaning))
    if isinstance(contract, ImageContract) and contract.size is not None:
        given = running.resize or running.size or running.tile or running.scales
        size = _read_first_size(listing, contract)
        if size not in (None, contract.size) and not (given or contract.usual_size):
            height, width = contract.size
            text = f"the model takes only images of {height}x{width} pixels; pass --resize"
            meaning = (
                f"resize images to {height}x{width}, the only size that the model takes; or pass "
                "--tile model to split larger images into tiles"
            )
            more.append(MissingSetting(text, flag="--resize", meaning=meaning))
    return error.with_questions(*more)


def _read_first_size(listing: Listing, contract: ImageContract) -> tuple[int, int] | None:
    """Return (height, width) of the first input, or None if it cannot be read."""
    try:
        sizes, _ = read_usable_sizes(replace(listing, items=listing.items[:1]), contract.bands)
    except OnnxcertError:  # the run reports it
        return None
    return next(iter(sizes.values()), None)


def print_interpretations(
    context: typer.Context, file: ModelFile, error: ContractError, given: Mapping[str, Any]
) -> None:
    """Print a command line for each alternative that `error` offers, if there are several.

    Each line repeats the model options given so far. It calls certify if the contract is then
    complete, otherwise inspect, which asks the next question. Interpretations with which the
    network does not run are left out.

    Args:
        context: Context of the command, with its options and the arguments of the command line.
        file: The model.
        error: Why the contract is not complete.
        given: Contract fields that were given.
    """
    if len(error.alternatives) < 2:
        return
    names = {field.name for field in fields(ContractOptions)}
    options = [option for option in context.command.params if option.name in names]
    model_options = list(_model_options(options, context.obj["arguments"]))
    interpretations = []
    for name, value in error.alternatives:
        option = next((option for option in options if name in option.opts), None)
        contract = option and _detect_with(context, file, given, option, value)
        runs = contract and try_answers(file.proto, contract, contract.output) is not None
        interpretations.append((name, value, contract is not None, runs))
    # Drop an interpretation that fails to run only if another one runs.
    some_run = any(runs for *_, runs in interpretations)
    for name, value, complete, runs in interpretations:
        if some_run and complete and not runs:
            continue
        words = [*model_options, name, value]
        if value == "labels" and "classes" not in given:  # the number cannot be detected
            words += ["--classes", "NUMBER"]
        model, rest = shlex.quote(str(file.path)), shlex.join(words)
        print(
            f"  onnxcert {f'certify {model} PICTURES' if complete else f'inspect {model}'} {rest}"
        )


def _detect_with(
    context: typer.Context, file: ModelFile, given: Mapping[str, Any], option: Any, value: str
) -> Contract | None:
    """Return the contract with `option` set to `value`; None if it is not complete."""
    more = {"classes": 2} if value == "labels" else {}
    try:
        parsed = option.process_value(context, [value] if option.multiple else value)
        fields_set = ContractOptions(**{option.name: parsed}).collect()
        return detect(file, {**more, **given, **fields_set})
    except (ContractError, ValueError, typer.BadParameter):
        return None  # BadParameter: for example, a word instead of a number


def _model_options(options: Sequence[Any], arguments: Sequence[str]) -> Iterator[str]:
    """Yield those of `options` that are in a command line, with their values."""
    flags = {flag: option for option in options for flag in (*option.opts, *option.secondary_opts)}
    remaining = iter(arguments)
    for word in remaining:
        if word.partition("=")[0] in flags:
            yield word
            if word in flags and not flags[word].is_flag:
                yield next(remaining, "")
