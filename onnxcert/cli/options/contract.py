"""Options that set a model's contract, shared by the commands that open a model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from onnxcert.cli.options.base import MODEL, option
from onnxcert.cli.options.names import CHANNEL_ORDERS, OUTPUT_FORMS, POINT_CHANNELS
from onnxcert.cli.options.parsing import (
    Numbers,
    parse_feeds,
    parse_numbers,
    parse_pair,
)


@dataclass(frozen=True)
class ContractOptions:
    """Fields of the contract, named as there."""

    title: ClassVar = MODEL

    layout: str | None = option(
        "Order of the input axes: NCHW or NHWC; for points BCN or BNC.", "ORDER"
    )
    channel_order: str | None = option(
        f"Channels of the input: {', '.join(CHANNEL_ORDERS)}. See also --channels-are.",
        "ORDER",
        choices=CHANNEL_ORDERS,
    )
    channels_are: str | None = option(
        "Channels of the input: rgb, bgr, rgba, bgra, grey, bands (those of the file, unchanged), "
        "or the band names, e.g. blue,green,red,nir.",
        "WHAT",
    )
    value_range: Numbers | None = option(
        "Model values of black and white before --mean and --std: 0,1 or 0,255 or -1,1.",
        "LOW,HIGH",
        flag="--range",
        parse=parse_pair,
    )
    mean: Numbers | None = option(
        "Mean per channel that is subtracted, in the unit of --range and in the model's channel "
        "order.",
        "R,G,B",
        parse=parse_numbers,
    )
    std: Numbers | None = option(
        "Standard deviation per channel; the pixels are divided by it after --mean.",
        "R,G,B",
        parse=parse_numbers,
    )
    normalise: str | None = option(
        "Apply mean and std after --range, or before it to pixels in [0, 1].", "after|before"
    )
    input: str | None = option("Name of the graph input that takes the image or points.", "NAME")
    feeds: list[str] | None = option(
        "Value of another graph input: a number, numbers separated by commas, a .npy file, or "
        "category (the shape category as a one-hot vector).",
        "NAME=VALUE",
        flag="--feed",
    )
    channels: str | None = option(
        f"Features of a point: {', '.join(POINT_CHANNELS)}.", "WHAT", choices=POINT_CHANNELS
    )
    points: int | None = option(
        "Number of points to keep of each shape, selected once before the noise."
    )
    frame: str | None = option(
        "unit-sphere: centre and scale each shape to the unit sphere before the noise; own: leave "
        "it unchanged.",
        "unit-sphere|own",
    )
    categories: str | None = option(
        "Shape categories and their parts: shapenet-part, or a file with lines 'name class class "
        "...'.",
        "NAME|FILE",
    )
    restricted: bool | None = option(
        "Predict only parts of the shape's category, or all parts.",
        flag="--restrict-parts/--all-parts",
    )
    passes: int | None = option(
        "Average the scores over K passes, each with a different fixed order of points.", "K"
    )
    output: str | None = option("Name of the graph output with the prediction.", "NAME")
    output_layout: str | None = option(
        "Order of the output axes: NCHW or NHWC (without batch axis CHW, HWC or HW); for points "
        "BCN or BNC (without batch axis CN, NC or N).",
        "ORDER",
    )
    output_form: str | None = option(
        f"Values of the output: {', '.join(OUTPUT_FORMS)}.", "FORM", choices=OUTPUT_FORMS
    )
    threshold: float | None = option(
        "Score above which a class is predicted. Default: sigmoid 0.5, logit 0, multilabel 0.5."
    )
    classes: int | None = option("Number of classes, for an output of class indices.")

    def collect(self) -> dict[str, Any]:
        """Return the contract fields that were given, by name.

        Raises:
            ParameterError: Two options set the same field, or a value cannot be read.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {name: value for name, value in values.items() if value not in (None, [], ())}
        if "feeds" in given:
            given["feeds"] = parse_feeds(given["feeds"])
        from onnxcert.api.models import collect_contract  # here, so that --help does not load ONNX

        return collect_contract(given)
