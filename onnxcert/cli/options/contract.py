"""Options that set a model's contract, shared by the commands that open a model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

import typer

from onnxcert.cli.options.parsing import (
    Numbers,
    parse_channels,
    parse_feeds,
    parse_numbers,
    parse_pair,
)
from onnxcert.data.points.shapenet import read_categories
from onnxcert.errors import ParameterError
from onnxcert.model.contract.base import OUTPUT_FORMS
from onnxcert.model.contract.image import CHANNEL_ORDERS
from onnxcert.model.contract.points import CHANNELS


@dataclass(frozen=True)
class ContractOptions:
    """Fields of the contract, named as there."""

    title: ClassVar = "Options of the model's contract"

    layout: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER", help="Order of the input axes: NCHW or NHWC; for points BCN or BNC."
        ),
    ] = None
    channel_order: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER",
            help=f"Channels of the input: {', '.join(CHANNEL_ORDERS)}. See also --channels-are.",
        ),
    ] = None
    channels_are: Annotated[
        dict[str, Any] | None,
        typer.Option(
            parser=parse_channels,
            metavar="WHAT",
            help="Channels of the input: rgb, bgr, rgba, bgra, grey, bands (those of the file, "
            "unchanged), or the band names, e.g. blue,green,red,nir.",
        ),
    ] = None
    value_range: Annotated[
        Numbers | None,
        typer.Option(
            "--range",
            parser=parse_pair,
            metavar="LOW,HIGH",
            help="Model values of black and white before --mean and --std: 0,1 or 0,255 or -1,1.",
        ),
    ] = None
    mean: Annotated[
        Numbers | None,
        typer.Option(
            parser=parse_numbers,
            metavar="R,G,B",
            help="Mean per channel that is subtracted, in the unit of --range and in the model's "
            "channel order.",
        ),
    ] = None
    std: Annotated[
        Numbers | None,
        typer.Option(
            parser=parse_numbers,
            metavar="R,G,B",
            help="Standard deviation per channel; the pixels are divided by it after --mean.",
        ),
    ] = None
    normalise: Annotated[
        str | None,
        typer.Option(
            metavar="after|before",
            help="Apply mean and std after --range, or before it to pixels in [0, 1].",
        ),
    ] = None
    input: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name of the graph input that takes the image or points."
        ),
    ] = None
    feeds: Annotated[
        list[str] | None,
        typer.Option(
            "--feed",
            metavar="NAME=VALUE",
            help="Value of another graph input: a number, numbers separated by commas, a .npy "
            "file, or category (the shape category as a one-hot vector).",
        ),
    ] = None
    channels: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help=f"Features of a point: {', '.join(CHANNELS)}."),
    ] = None
    points: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Number of points to keep of each shape, selected once before the noise.",
        ),
    ] = None
    frame: Annotated[
        str | None,
        typer.Option(
            metavar="unit-sphere|own",
            help="unit-sphere: centre and scale each shape to the unit sphere before the noise; "
            "own: leave it unchanged.",
        ),
    ] = None
    categories: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Shape categories and their parts: shapenet-part, or a file with lines 'name "
            "class class ...'.",
        ),
    ] = None
    restricted: Annotated[
        bool | None,
        typer.Option(
            "--restrict-parts/--all-parts",
            help="Predict only parts of the shape's category, or all parts.",
        ),
    ] = None
    passes: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Average the scores over K passes, each with a different fixed order of points.",
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the graph output with the prediction."),
    ] = None
    output_layout: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER",
            help="Order of the output axes: NCHW or NHWC (without batch axis CHW, HWC or HW); for "
            "points BCN or BNC (without batch axis CN, NC or N).",
        ),
    ] = None
    output_form: Annotated[
        str | None,
        typer.Option(metavar="FORM", help=f"Values of the output: {', '.join(OUTPUT_FORMS)}."),
    ] = None
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Score above which a class is predicted. Default: sigmoid 0.5, logit 0, "
            "multilabel 0.5."
        ),
    ] = None
    classes: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Number of classes, for an output of class indices."),
    ] = None

    def collect(self) -> dict[str, Any]:
        """Return the contract fields that were given, by name.

        Raises:
            ParameterError: Two options set the same field, or a value cannot be read.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: value for name, value in values.items() if value not in (None, [], ())}
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
