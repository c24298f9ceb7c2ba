"""The options that say how to talk to a model, shared by the commands that open one."""

from __future__ import annotations

from typing import Any, Final

import typer

from onnxcert.cli.options import with_options
from onnxcert.cli.parsing import feeds, numbers, two_numbers
from onnxcert.model.contract import OUTPUT_FORMS
from onnxcert.model.pictures.contract import CHANNEL_ORDERS

# Field of the contract -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "layout": (
        str | None,
        typer.Option(
            None,
            "--layout",
            metavar="NCHW|NHWC",
            help="Order of the input's axes: channels first or last.",
        ),
    ),
    "channel_order": (
        str | None,
        typer.Option(
            None,
            "--channel-order",
            metavar="ORDER",
            help=f"The input's channels: {', '.join(CHANNEL_ORDERS)}.",
        ),
    ),
    "value_range": (
        Any,
        typer.Option(
            None,
            "--range",
            parser=two_numbers,
            metavar="LOW,HIGH",
            help="What black and white are to the model before mean and std: 0,1 or 0,255 or -1,1.",
        ),
    ),
    "mean": (
        Any,
        typer.Option(
            None,
            "--mean",
            parser=numbers,
            metavar="R,G,B",
            help="Subtracted from the pixels, in the unit of --range and the model's order.",
        ),
    ),
    "std": (
        Any,
        typer.Option(
            None,
            "--std",
            parser=numbers,
            metavar="R,G,B",
            help="What the pixels are divided by after --mean.",
        ),
    ),
    "normalise": (
        str | None,
        typer.Option(
            None,
            "--normalise",
            metavar="after|before",
            help="Whether mean and std apply after --range or before it, to pixels in [0, 1].",
        ),
    ),
    "input": (
        str | None,
        typer.Option(None, "--input", metavar="NAME", help="Graph input that takes the picture."),
    ),
    "feeds": (
        list[str] | None,
        typer.Option(
            None,
            "--feed",
            metavar="NAME=VALUE",
            help="Value of a further input: a number, numbers separated by commas, or a .npy file.",
        ),
    ),
    "output": (
        str | None,
        typer.Option(None, "--output", metavar="NAME", help="Graph output that holds the answer."),
    ),
    "output_layout": (
        str | None,
        typer.Option(
            None, "--output-layout", metavar="NCHW|NHWC", help="Order of the output's axes."
        ),
    ),
    "output_form": (
        str | None,
        typer.Option(
            None,
            "--output-form",
            metavar="FORM",
            help=f"What the output holds: {', '.join(OUTPUT_FORMS)}.",
        ),
    ),
    "threshold": (
        float | None,
        typer.Option(
            None,
            "--threshold",
            help="Score above which sigmoid (0.5), logit (0) or multilabel (0.5) says yes.",
        ),
    ),
    "classes": (
        int | None,
        typer.Option(
            None,
            "--classes",
            metavar="NUMBER",
            help="Number of classes of an output of class indices.",
        ),
    ),
}


def _given(said: dict[str, Any]) -> dict[str, Any]:
    """The fields that were given, by name."""
    given = {name: value for name, value in said.items() if value not in (None, [])}
    if "feeds" in given:
        given["feeds"] = feeds(given["feeds"])
    return given


with_contract_options = with_options(OPTIONS, "given", _given)
