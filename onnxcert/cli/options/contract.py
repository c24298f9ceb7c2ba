"""Options that set a model's contract, shared by the commands that open a model."""

from __future__ import annotations

from typing import Any, Final

import typer

from onnxcert.cli.options.base import with_options
from onnxcert.cli.options.parsing import parse_channels, parse_feeds, parse_numbers, parse_pair
from onnxcert.data.points.shapenet import read_categories
from onnxcert.errors import ParameterError
from onnxcert.model.contract.base import OUTPUT_FORMS
from onnxcert.model.contract.image import CHANNEL_ORDERS
from onnxcert.model.contract.points import CHANNELS

# Field of the contract -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "layout": (
        str | None,
        typer.Option(
            None,
            "--layout",
            metavar="ORDER",
            help="Order of the input axes: NCHW or NHWC; for points BCN or BNC.",
        ),
    ),
    "channel_order": (
        str | None,
        typer.Option(
            None,
            "--channel-order",
            metavar="ORDER",
            help=f"Channels of the input: {', '.join(CHANNEL_ORDERS)}. See also --channels-are.",
        ),
    ),
    "channels_are": (
        Any,
        typer.Option(
            None,
            "--channels-are",
            parser=parse_channels,
            metavar="WHAT",
            help="Channels of the input: rgb, bgr, rgba, bgra, grey, bands (those of the file, "
            "unchanged), or the band names, e.g. blue,green,red,nir.",
        ),
    ),
    "value_range": (
        Any,
        typer.Option(
            None,
            "--range",
            parser=parse_pair,
            metavar="LOW,HIGH",
            help="Model values of black and white before --mean and --std: 0,1 or 0,255 or -1,1.",
        ),
    ),
    "mean": (
        Any,
        typer.Option(
            None,
            "--mean",
            parser=parse_numbers,
            metavar="R,G,B",
            help="Mean per channel that is subtracted, in the unit of --range and in the model's "
            "channel order.",
        ),
    ),
    "std": (
        Any,
        typer.Option(
            None,
            "--std",
            parser=parse_numbers,
            metavar="R,G,B",
            help="Standard deviation per channel; the pixels are divided by it after --mean.",
        ),
    ),
    "normalise": (
        str | None,
        typer.Option(
            None,
            "--normalise",
            metavar="after|before",
            help="Apply mean and std after --range, or before it to pixels in [0, 1].",
        ),
    ),
    "input": (
        str | None,
        typer.Option(
            None,
            "--input",
            metavar="NAME",
            help="Name of the graph input that takes the image or points.",
        ),
    ),
    "feeds": (
        list[str] | None,
        typer.Option(
            None,
            "--feed",
            metavar="NAME=VALUE",
            help="Value of another graph input: a number, numbers separated by commas, a .npy "
            "file, or category (the shape category as a one-hot vector).",
        ),
    ),
    "channels": (
        str | None,
        typer.Option(
            None,
            "--channels",
            metavar="WHAT",
            help=f"Features of a point: {', '.join(CHANNELS)}.",
        ),
    ),
    "points": (
        int | None,
        typer.Option(
            None,
            "--points",
            metavar="N",
            help="Number of points to keep of each shape, selected once before the noise.",
        ),
    ),
    "frame": (
        str | None,
        typer.Option(
            None,
            "--frame",
            metavar="unit-sphere|own",
            help="unit-sphere: centre and scale each shape to the unit sphere before the noise; "
            "own: leave it unchanged.",
        ),
    ),
    "categories": (
        str | None,
        typer.Option(
            None,
            "--categories",
            metavar="NAME|FILE",
            help="Shape categories and their parts: shapenet-part, or a file with lines 'name "
            "class class ...'.",
        ),
    ),
    "restricted": (
        bool | None,
        typer.Option(
            None,
            "--restrict-parts/--all-parts",
            help="Predict only parts of the shape's category, or all parts.",
        ),
    ),
    "passes": (
        int | None,
        typer.Option(
            None,
            "--passes",
            metavar="K",
            help="Average the scores over K passes, each with a different fixed order of points.",
        ),
    ),
    "output": (
        str | None,
        typer.Option(
            None, "--output", metavar="NAME", help="Name of the graph output with the prediction."
        ),
    ),
    "output_layout": (
        str | None,
        typer.Option(
            None,
            "--output-layout",
            metavar="ORDER",
            help="Order of the output axes: NCHW or NHWC (without batch axis CHW, HWC or HW); for "
            "points BCN or BNC (without batch axis CN, NC or N).",
        ),
    ),
    "output_form": (
        str | None,
        typer.Option(
            None,
            "--output-form",
            metavar="FORM",
            help=f"Values of the output: {', '.join(OUTPUT_FORMS)}.",
        ),
    ),
    "threshold": (
        float | None,
        typer.Option(
            None,
            "--threshold",
            help="Score above which a class is predicted. Default: sigmoid 0.5, logit 0, "
            "multilabel 0.5.",
        ),
    ),
    "classes": (
        int | None,
        typer.Option(
            None,
            "--classes",
            metavar="NUMBER",
            help="Number of classes, for an output of class indices.",
        ),
    ),
}


def _collect_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Return the contract fields that were given, by name.

    Raises:
        ParameterError: Two options set the same field, or a value cannot be read.
    """
    given = {name: value for name, value in values.items() if value not in (None, [])}
    channels = given.pop("channels_are", {})
    if channels and "channel_order" in given:
        raise ParameterError(
            "--channel-order and --channels-are both set the channels; give only one of them."
        )
    given |= channels
    if "feeds" in given:
        given["feeds"] = parse_feeds(given["feeds"])
    if "categories" in given:
        given["categories"] = read_categories(given["categories"])
    return given


with_contract_options = with_options(OPTIONS, "given", _collect_fields)
