"""The options that say how to talk to a model, shared by the commands that open one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from onnxcert.cli.parsing import Numbers, feeds, numbers, two_numbers
from onnxcert.model.contract import CHANNEL_ORDERS, OUTPUT_FORMS

LAYOUT = typer.Option(
    None, "--layout", metavar="NCHW|NHWC", help="Order of the input's axes: channels first or last."
)
CHANNEL_ORDER = typer.Option(
    None,
    "--channel-order",
    metavar="ORDER",
    help=f"The input's channels: {', '.join(CHANNEL_ORDERS)}.",
)
RANGE = typer.Option(
    None,
    "--range",
    parser=two_numbers,
    metavar="LOW,HIGH",
    help="What black and white are to the model before mean and std: 0,1 or 0,255 or -1,1.",
)
MEAN = typer.Option(
    None,
    "--mean",
    parser=numbers,
    metavar="R,G,B",
    help="Subtracted from the pixels, in the unit of --range and the model's channel order.",
)
STD = typer.Option(
    None,
    "--std",
    parser=numbers,
    metavar="R,G,B",
    help="What the pixels are divided by after --mean.",
)
NORMALISE = typer.Option(
    None,
    "--normalise",
    metavar="after|before",
    help="Whether mean and std apply after --range or before it, to pixels in [0, 1].",
)
INPUT = typer.Option(None, "--input", metavar="NAME", help="Graph input that takes the picture.")
FEED = typer.Option(
    None,
    "--feed",
    metavar="NAME=VALUE",
    help="Value of a further input: a number, numbers separated by commas, or a .npy file.",
)
OUTPUT = typer.Option(None, "--output", metavar="NAME", help="Graph output that holds the answer.")
OUTPUT_LAYOUT = typer.Option(
    None, "--output-layout", metavar="NCHW|NHWC", help="Order of the output's axes."
)
OUTPUT_FORM = typer.Option(
    None,
    "--output-form",
    metavar="FORM",
    help=f"What the output holds: {', '.join(OUTPUT_FORMS)}.",
)
THRESHOLD = typer.Option(
    None,
    "--threshold",
    help="Score above which a sigmoid (0.5), logit (0) or multilabel (0.5) output says yes.",
)
CLASSES = typer.Option(
    None, "--classes", metavar="NUMBER", help="Number of classes of an output of class indices."
)


def contract_fields(
    *,
    layout: str | None,
    channel_order: str | None,
    value_range: Numbers | None,
    mean: Numbers | None,
    std: Numbers | None,
    normalise: str | None,
    input_name: str | None,
    feed: Sequence[str] | None,
    output_name: str | None,
    output_layout: str | None,
    output_form: str | None,
    threshold: float | None,
    classes: int | None,
) -> dict[str, Any]:
    """The contract's fields that were given, by name."""
    given = {
        "layout": layout,
        "channel_order": channel_order,
        "value_range": value_range,
        "mean": mean,
        "std": std,
        "normalise": normalise,
        "input": input_name,
        "feeds": feeds(feed) if feed else None,
        "output": output_name,
        "output_layout": output_layout,
        "output_form": output_form,
        "threshold": threshold,
        "classes": classes,
    }
    return {name: value for name, value in given.items() if value is not None}
