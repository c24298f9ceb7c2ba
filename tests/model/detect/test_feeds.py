"""Inputs beside the image are fed by hand, unless they have a default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import onnx
import pytest
from convolution import CONV, around, is_the_function, opened
from onnx import numpy_helper
from zoo import Dialect

from onnxcert.errors import ContractError


def test_a_scalar_input_is_not_mistaken_for_a_picture(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="--feed extra=VALUE"):
        opened(with_feed("float", []), tmp_path)


def with_feed(kind: str, shape: list[Any]) -> onnx.ModelProto:
    """The function plus nothing times a further input of `kind` and `shape`."""
    return around(
        """extra_float = Cast<to = 1>(extra)
            most = ReduceMax<keepdims = 0>(extra_float)
            nothing = Mul(most, zero)
            sum = Add(image, nothing)
            answer = Convolve(sum)""",
        image=f"{graphs.IMAGES} image, {kind}[{', '.join(map(str, shape))}] extra"
        if shape
        else f"{graphs.IMAGES} image, {kind} extra",
        zero=0.0,
    )


@pytest.mark.parametrize(
    ("kind", "value"), [("uint8", 300), ("int8", -200), ("uint8", 2.5), ("int64", 2**70)]
)
def test_a_feed_that_its_input_cannot_hold_is_refused(
    kind: str, value: Any, tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match="extra"):
        opened(with_feed(kind, [1]), tmp_path, feeds=(("extra", value),))


@pytest.mark.parametrize(
    "shape",
    [[], [1], [3], ["batch", 1], ["batch", 3], [1, 1, 1, 1]],
)
def test_one_number_fills_a_further_input(shape: list[Any], tmp_path: Path) -> None:
    is_the_function(opened(with_feed("float", shape), tmp_path, feeds=(("extra", 2.0),)))


def test_an_input_with_a_default_need_not_be_fed(tmp_path: Path) -> None:
    # An input that is an initialiser too is a default that nobody has to give.
    proto = Dialect(feed="vector").proto(CONV)
    proto.graph.initializer.append(numpy_helper.from_array(CONV.bias, "bias"))
    is_the_function(opened(proto, tmp_path))
