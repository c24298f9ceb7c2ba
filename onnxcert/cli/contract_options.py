"""The options that say how to talk to a model, shared by the commands that open one."""

from __future__ import annotations

from typing import Any, Final

import typer

from onnxcert.cli.options import with_options
from onnxcert.cli.parsing import channels_are, feeds, numbers, two_numbers
from onnxcert.errors import ParameterError
from onnxcert.inputs.clouds.categories import read_categories
from onnxcert.model.contract import OUTPUT_FORMS
from onnxcert.model.pictures.contract import CHANNEL_ORDERS
from onnxcert.model.points.contract import CHANNELS

# Field of the contract -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "layout": (
        str | None,
        typer.Option(
            None,
            "--layout",
            metavar="ORDER",
            help="Order of the input's axes: NCHW or NHWC, of points BCN or BNC.",
        ),
    ),
    "channel_order": (
        str | None,
        typer.Option(
            None,
            "--channel-order",
            metavar="ORDER",
            help=f"The input's channels: {', '.join(CHANNEL_ORDERS)}; see --channels-are.",
        ),
    ),
    "channels_are": (
        Any,
        typer.Option(
            None,
            "--channels-are",
            parser=channels_are,
            metavar="WHAT",
            help="What the input's channels are: rgb, bgr, rgba, bgra, grey, bands (those of the "
            "file, as they are), or the bands' names such as blue,green,red,nir.",
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
        typer.Option(
            None,
            "--input",
            metavar="NAME",
            help="Graph input of the picture or points.",
        ),
    ),
    "feeds": (
        list[str] | None,
        typer.Option(
            None,
            "--feed",
            metavar="NAME=VALUE",
            help="Value of a further input: a number, numbers separated by commas, a .npy file, or "
            "category: the shape's category as one-hot.",
        ),
    ),
    "channels": (
        str | None,
        typer.Option(
            None,
            "--channels",
            metavar="WHAT",
            help=f"What the values of a point are: {', '.join(CHANNELS)}.",
        ),
    ),
    "points": (
        int | None,
        typer.Option(
            None,
            "--points",
            metavar="N",
            help="Keep so many points of each shape, chosen once and before the noise.",
        ),
    ),
    "frame": (
        str | None,
        typer.Option(
            None,
            "--frame",
            metavar="unit-sphere|own",
            help="Centre and scale each shape to the unit sphere before the noise, or not.",
        ),
    ),
    "categories": (
        str | None,
        typer.Option(
            None,
            "--categories",
            metavar="NAME|FILE",
            help="Categories of shapes and their parts: shapenet-part, or a file of lines 'name "
            "class class ...'.",
        ),
    ),
    "restricted": (
        bool | None,
        typer.Option(
            None,
            "--restrict-parts/--all-parts",
            help="Points get only parts that shapes of their category have.",
        ),
    ),
    "passes": (
        int | None,
        typer.Option(
            None,
            "--passes",
            metavar="K",
            help="Average the scores over K passes with the points in fixed orders.",
        ),
    ),
    "output": (
        str | None,
        typer.Option(None, "--output", metavar="NAME", help="Graph output that holds the answer."),
    ),
    "output_layout": (
        str | None,
        typer.Option(
            None,
            "--output-layout",
            metavar="ORDER",
            help="Axes of the output: NCHW or NHWC, without a batch axis CHW, HWC or HW; of "
            "points BCN or BNC, without a batch axis CN, NC or N.",
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
    """The fields that were given, by name.

    Raises:
        ParameterError: two options say the same thing, or one cannot be read.
    """
    given = {name: value for name, value in said.items() if value not in (None, [])}
    meant = given.pop("channels_are", {})
    if meant and "channel_order" in given:
        raise ParameterError(
            "--channel-order and --channels-are both say what the channels are; give one of them."
        )
    given |= meant
    if "feeds" in given:
        given["feeds"] = feeds(given["feeds"])
    if "categories" in given:
        given["categories"] = read_categories(given["categories"])
    return given


with_contract_options = with_options(OPTIONS, "given", _given)
