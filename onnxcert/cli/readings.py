"""The command line of each reading of a model that a question offers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from onnxcert.cli.contract_options import OPTIONS
from onnxcert.errors import ContractError
from onnxcert.model.contract import Contract
from onnxcert.model.graph import ModelFile
from onnxcert.model.inference import infer
from onnxcert.model.running.trial_passes import try_answers


def print_readings(
    file: ModelFile, question: str, given: Mapping[str, Any], arguments: Sequence[str]
) -> None:
    """Print a command line for each flag that `question` offers, where there are several.

    What was said about the model already is said again. A line certifies where nothing is open any
    more; else it inspects, and so asks on. What the network does not run with is left out.

    Args:
        given: fields of the contract that were said. arguments: of the command line.
    """
    offered = question.partition("pass ")[2]
    flags = re.findall(r"--[a-z-]+ (?!and\b|if\b|or\b|as\b|out\b)[^\s,;.][^\s;]*", offered)
    if len(flags) < 2:
        return
    said = list(_said(arguments))
    readings = []
    for flag in flags:
        name, _, value = flag.rstrip(",.").partition(" ")
        contract = _contract(file, given, name, value)
        runs = contract and try_answers(file.proto, contract, contract.output) is not None
        readings.append((name, value, contract is not None, runs))
    # A trial contradicts those that the network does not run with, where it does with another.
    some = any(runs for *_, runs in readings)
    for name, value, settled, runs in readings:
        if some and settled and not runs:
            continue
        words = [str(file.path), *said, name, value]
        if value == "labels" and "classes" not in given:  # whose number nobody can guess
            words += ["--classes", "NUMBER"]
        rest = shlex.join(words[1:])
        if settled:
            print(f"  onnxcert certify {shlex.quote(words[0])} PICTURES {rest}")
        else:
            print(f"  onnxcert inspect {shlex.quote(words[0])} {rest}")


def _contract(file: ModelFile, given: Mapping[str, Any], name: str, value: str) -> Contract | None:
    """The contract where nothing is open once the option `name` has this value."""
    fields = {o.param_decls[0]: (field, o.parser, kind) for field, (kind, o) in OPTIONS.items()}
    if name not in fields:
        return None
    field, parser, kind = fields[name]
    # On a command line Typer converts these to numbers; here it has to be done.
    parser = parser or next((number for number in (int, float) if number in get_args(kind)), None)
    more = {"classes": 2} if value == "labels" else {}
    try:
        parsed = parser(value) if parser else value
        # What the channels are is said in several fields at once.
        meant = parsed if isinstance(parsed, dict) else {field: parsed}
        return infer(file, {**more, **given, **meant})
    except (ContractError, ValueError):  # such as a word in place of a number
        return None


def _said(arguments: Sequence[str]) -> Iterator[str]:
    """The options about the model in a command line, with their values."""
    names = {name for _, option in OPTIONS.values() for name in option.param_decls}
    switches = {part for name in names if "/" in name for part in name.split("/")}
    left = iter(arguments)
    for word in left:
        if word in switches or (word.partition("=")[0] in names and "=" in word):
            yield word
        elif word in names:
            yield word
            yield next(left, "")
