"""Command lines for the possible interpretations of an ambiguous model."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from onnxcert.cli.options.contract import OPTIONS
from onnxcert.errors import ContractError
from onnxcert.model.contract.base import Contract
from onnxcert.model.detect.detect import detect
from onnxcert.model.detect.trial_passes import try_answers
from onnxcert.model.graph.file import ModelFile


def print_interpretations(
    file: ModelFile, question: str, given: Mapping[str, Any], arguments: Sequence[str]
) -> None:
    """Print a command line for each flag that `question` suggests, if there are several.

    Each line repeats the model options given so far. It calls certify if the contract is then
    complete, otherwise inspect, which asks the next question. Interpretations with which the
    network does not run are left out.

    Args:
        file: The model.
        question: Error message that suggests flags.
        given: Contract fields that were given.
        arguments: Arguments of the command line.
    """
    offered = question.partition("pass ")[2]
    flags = re.findall(r"--[a-z-]+ (?!and\b|if\b|or\b|as\b|out\b)[^\s,;.][^\s;]*", offered)
    if len(flags) < 2:
        return
    model_options = list(_model_options(arguments))
    interpretations = []
    for flag in flags:
        name, _, value = flag.rstrip(",.").partition(" ")
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
