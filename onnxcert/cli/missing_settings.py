"""Messages about settings that a model still needs, with the command lines that set them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from onnxcert.cli.options.contract import OPTIONS
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


def format_questions(error: MissingSettings, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the sentence, the meaning of each option, and the command line with all choices.

    Args:
        error: The missing settings.
        arguments: Arguments of the command that was refused.
    """
    yield error.sentence
    for question in error.questions:
        yield f"  {question.flag}: {question.meaning}"
    contract = error.contract
    if isinstance(contract, ImageContract) and contract.sources.get("channel_order") == ASSUMED:
        order, other = contract.channel_order, contract.channel_order[::-1]
        yield f"  assumed: the channels are {order}; pass --channel-order {other} if they are not"
    flags = shlex.join(word for question in error.questions for word in _arguments(question))
    several = any(len(question.values) > 1 for question in error.questions)
    yield f"  complete command{' (keep one of the values separated by |)' if several else ''}:"
    yield f"  onnxcert {shlex.join(arguments)} {flags}"


def _arguments(question: MissingSetting) -> list[str]:
    # Several values are joined by |; `shlex.join` quotes them, so that no shell reads a pipe.
    return [question.flag, *(["|".join(question.values)] if question.values else [])]


def add_run_settings(
    error: MissingSettings, noise: NoiseOptions, running: RunningOptions, listing: Listing
) -> MissingSettings:
    """Add to `error` the settings that a run needs besides the contract: noise and input size."""
    contract, more = error.contract, []
    if contract is None:
        return error
    if noise.sigma(contract) is None:
        text = "the noise that the model was trained with is unknown; pass --sigma SIGMA"
        modality = contract.modality
        meaning = (
            f"standard deviation of the noise, in {modality.noise_unit}, for example "
            f"{modality.usual_sigma}"
        )
        more.append(MissingSetting(text, flag="--sigma", values=("SIGMA",), meaning=meaning))
    if isinstance(contract, ImageContract) and contract.size is not None:
        fit = running.values
        size = _read_first_size(listing, contract)
        given = fit["resize"] or fit["size"] or fit["tile"] or fit["scales"] or contract.usual_size
        if size not in (None, contract.size) and not given:
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
    file: ModelFile, error: ContractError, given: Mapping[str, Any], arguments: Sequence[str]
) -> None:
    """Print a command line for each alternative that `error` offers, if there are several.

    Each line repeats the model options given so far. It calls certify if the contract is then
    complete, otherwise inspect, which asks the next question. Interpretations with which the
    network does not run are left out.

    Args:
        file: The model.
        error: Why the contract is not complete.
        given: Contract fields that were given.
        arguments: Arguments of the command line.
    """
    if len(error.alternatives) < 2:
        return
    model_options = list(_model_options(arguments))
    interpretations = []
    for name, value in error.alternatives:
        contract = _detect_with(file, given, name, value)
        runs = contract and try_answers(file.proto, contract, contract.output) is not None
        interpretations.append((name, value, contract is not None, runs))
    # Drop an interpretation that fails to run only if another one runs.
    some_run = any(runs for *_, runs in interpretations)
    for name, value, complete, runs in interpretations:
        if some_run and complete and not runs:
            continue
        words = [str(file.path), *model_options, name, value]
        if value == "labels" and "classes" not in given:  # the number cannot be detected
            words += ["--classes", "NUMBER"]
        rest = shlex.join(words[1:])
        if complete:
            print(f"  onnxcert certify {shlex.quote(words[0])} PICTURES {rest}")
        else:
            print(f"  onnxcert inspect {shlex.quote(words[0])} {rest}")


def _detect_with(
    file: ModelFile, given: Mapping[str, Any], name: str, value: str
) -> Contract | None:
    """Return the contract with the option `name` set to `value`; None if it is not complete."""
    fields = {o.param_decls[0]: (field, o.parser, kind) for field, (kind, o) in OPTIONS.items()}
    if name not in fields:
        return None
    field, parser, kind = fields[name]
    # On a command line Typer converts text to numbers; here it must be done by hand.
    parser = parser or next((number for number in (int, float) if number in get_args(kind)), None)
    more = {"classes": 2} if value == "labels" else {}
    try:
        parsed = parser(value) if parser else value
        # --channels-are sets several fields at once.
        values = parsed if isinstance(parsed, dict) else {field: parsed}
        return detect(file, {**more, **given, **values})
    except (ContractError, ValueError):  # ValueError: for example, a word instead of a number
        return None


def _model_options(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the model options in a command line, with their values."""
    names = {name for _, option in OPTIONS.values() for name in option.param_decls}
    switches = {part for name in names if "/" in name for part in name.split("/")}
    remaining = iter(arguments)
    for word in remaining:
        if word in switches or (word.partition("=")[0] in names and "=" in word):
            yield word
        elif word in names:
            yield word
            yield next(remaining, "")
