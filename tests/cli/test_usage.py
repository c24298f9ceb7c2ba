"""A command line that cannot be understood gets one sentence: what is wrong and what is nearest."""

from __future__ import annotations

from typing import Any

import pytest

from onnxcert.cli import COMMANDS, load_command
from onnxcert.cli.options import names
from onnxcert.data.datasets import READERS
from onnxcert.data.points import CLOUD_READERS
from onnxcert.data.published import LABEL_MAPS
from onnxcert.model.contract.base import OUTPUT_FORMS
from onnxcert.model.contract.image import CHANNEL_ORDERS
from onnxcert.model.contract.points import CHANNELS
from onnxcert.perturbation import PLAIN, AxisRotation
from onnxcert.statistics import PROCEDURES, SPENDING
from onnxcert.statistics.correction import CORRECTIONS


@pytest.mark.parametrize(
    ("written", "registry"),
    [
        (names.CORRECTIONS, CORRECTIONS),
        (names.PROCEDURES, PROCEDURES),
        (names.SPENDING, SPENDING),
        (names.PERTURBATIONS, [name for name, kind in PLAIN.items() if kind is not AxisRotation]),
        (names.IMAGE_DATASETS, READERS),
        (names.CLOUD_DATASETS, CLOUD_READERS),
        (names.LABEL_MAPS, LABEL_MAPS),
        (names.CHANNEL_ORDERS, CHANNEL_ORDERS),
        (names.POINT_CHANNELS, CHANNELS),
        (names.OUTPUT_FORMS, OUTPUT_FORMS),
    ],
)
def test_the_names_in_help_are_those_of_the_registries(written: Any, registry: Any) -> None:
    assert written == tuple(registry)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("certify street --sigm 1", "onnxcert certify has no option --sigm; did you mean --sigma?"),
        (
            "certify street --xyzzy",
            "onnxcert certify has no option --xyzzy; onnxcert certify --help lists the options.",
        ),
        ("certfy street", "onnxcert has no command certfy; did you mean certify?"),
        ("xyzzy", "onnxcert has no command xyzzy; onnxcert --help lists the commands."),
        ("report", "onnxcert report needs PATH; onnxcert report --help lists what it takes."),
        (
            "report a b",
            "onnxcert report takes no argument b; leave it out, or quote a name with spaces.",
        ),
        ("certify street --sigma", "--sigma needs a value after it."),
        ("certify street --n abc", "--n must be a whole number, got 'abc'."),
        ("plan --inputs many", "--inputs must be a whole number, got 'many'."),
        ("certify street --sigma 1/4", "--sigma must be a number, got '1/4'."),
        ("certify street --tau high", "--tau must be numbers separated by commas, got 'high'."),
    ],
)
def test_the_sentence_is_ours(onnxcert: Any, arguments: str, sentence: str) -> None:
    outcome = onnxcert(*arguments.split())
    assert (outcome.status, outcome.out, outcome.err) == (2, "", f"onnxcert: {sentence}\n")


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        ("--perturbation gausian", "gaussian"),
        ("--preset papr", "paper"),
        ("--correction bonferoni", "bonferroni"),
        ("--procedure segcertfy", "segcertify"),
        ("--dataset cityscape", "cityscapes"),
        ("--looks auto --spending pocok", "pocock"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_one(onnxcert: Any, arguments: str, near: str) -> None:
    outcome = onnxcert("certify", "street", *arguments.split())
    assert outcome.status == 2
    assert outcome.err.endswith(f"did you mean {near}?\n")


def test_every_option_with_a_number_refuses_text_in_the_same_words(onnxcert: Any) -> None:
    for name in COMMANDS:
        for parameter in load_command(name).params:
            kind = {"N": "a whole number", "NUMBER": "a number"}.get(parameter.metavar)
            flag = parameter.opts[0]
            if kind is None or (name, flag) in {("plan", "--n"), ("plan", "--components")}:
                continue  # those two take several numbers
            required = [p.name for p in load_command(name).params if p.required]
            outcome = onnxcert(name, *required, flag, "some")
            assert outcome.err == f"onnxcert: {flag} must be {kind}, got 'some'.\n"
