"""What is public is pinned, documented, loaded on first use, and has the words of the commands."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

import onnxcert as oc
from onnxcert.cli import COMMANDS, load_command

# Command -> the function that it is.
FUNCTIONS = {
    **{name: name for name in ("plan", "report", "inspect", "merge", "pack", "verify", "diff")},
    "certify": "certify_many",
    "decide": "redecide",
    "study": "study",
}
# Options that are no keyword, because a function returns what the command prints, and reads no file
# of options. The command `inspect` ignores the batch size.
OTHERWISE = {
    *("--json", "--per-class", "--help", "--quiet", "--verbose"),
    *("--config", "--save-config"),
}
IGNORED = {"inspect": {"--batch-size"}}


def test_the_public_names_are_these() -> None:
    assert oc.__all__ == [
        "ABSTAIN",
        "AxisRotation",
        "Blur",
        "Brightness",
        "Budget",
        "Certificate",
        "Contrast",
        "Exposure",
        "Gain",
        "Gamma",
        "Gaussian",
        "OnChannels",
        "OnnxSegmenter",
        "OnnxcertError",
        "PointCloud",
        "ResultStore",
        "Rotation",
        "Rule",
        "Scaling",
        "Schedule",
        "Shift",
        "Stopping",
        "Tally",
        "WhiteBalance",
        "__version__",
        "certify",
        "certify_many",
        "decide",
        "diff",
        "explain_abstention",
        "inspect",
        "load",
        "merge",
        "pack",
        "plan",
        "redecide",
        "report",
        "study",
        "verify",
        "wrap",
    ]


def test_every_public_name_is_there_and_documented() -> None:
    for name in oc.__all__:
        value = getattr(oc, name)
        if callable(value):
            assert inspect.getdoc(value), name


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'certificate'"):
        _ = oc.certificate  # type: ignore[attr-defined]


def test_every_command_is_a_function() -> None:
    assert set(FUNCTIONS) == set(COMMANDS)
    assert set(FUNCTIONS.values()) <= set(oc.__all__)


def keywords(function: Any) -> set[str]:
    """The keywords that a function takes, from the message for one that it does not have."""
    with pytest.raises(oc.OnnxcertError) as refused:
        function(**{"zzzzzzzz": 1})
    found = re.search(r"it takes (.*)\.$", str(refused.value))
    assert found is not None
    return set(found[1].split(", "))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_function_has_the_words_of_its_command(command: str) -> None:
    """Long option `--some-word` is the keyword `some_word`."""
    taken = keywords(getattr(oc, FUNCTIONS[command]))
    for parameter in load_command(command).params:
        long = [name for name in parameter.opts if name.startswith("--")]
        for name in long:
            word = name.removeprefix("--").replace("-", "_")
            word = {"feed": "feeds", "restrict_parts": "restricted"}.get(word, word)
            if name in OTHERWISE | IGNORED.get(command, set()):
                continue
            assert word in taken, f"{command} {name}"


@pytest.mark.parametrize(
    ("function", "wrong", "right"),
    [
        ("certify", "sigm", "sigma"),
        ("certify", "apha", "alpha"),
        ("certify_many", "lables", "labels"),
        ("load", "devcie", "device"),
        ("wrap", "class", "classes"),
        ("plan", "component", "components"),
        ("redecide", "corection", "correction"),
        ("verify", "independant", "independent"),
        ("report", "result", "results"),
        ("study", "repetition", "repetitions"),
    ],
)
def test_an_unknown_keyword_is_refused_with_the_nearest_right_one(
    function: str, wrong: str, right: str
) -> None:
    with pytest.raises(oc.OnnxcertError, match=rf"{function} has no keyword {wrong}; did you mean"):
        getattr(oc, function)(**{wrong: 1})
    with pytest.raises(oc.OnnxcertError, match=rf"did you mean {right}\?"):
        getattr(oc, function)(**{wrong: 1})
