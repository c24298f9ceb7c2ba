"""What a user must decide about a model: missing settings, and interpretations to choose from."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import typer

from onnxcert.cli.options.contract import ContractOptions
from onnxcert.errors import ContractError
from onnxcert.model.contract.base import ASSUMED, Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.question import MissingSettings
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
