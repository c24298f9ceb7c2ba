"""Graphs in which batch mates leak run one draw per pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from convolution import CONV, PICTURE, around, noisy, opened

from onnxcert import Gaussian, certify


def quantised_over_the_batch() -> onnx.ModelProto:
    """Dynamic quantisation as the quantisers write it: DynamicQuantizeLinear and ConvInteger."""
    step = float(np.abs(CONV.weight).max()) / 127
    return around(
        """q, scale, zero = DynamicQuantizeLinear(image)
            whole = ConvInteger<pads = [1, 1, 1, 1]>(q, steps, zero)
            wide = Cast<to = 1>(whole)
            unit = Mul(scale, step)
            value = Mul(wide, unit)
            answer = Add(value, column)""",
        steps=np.rint(CONV.weight / step).astype(np.int8),
        step=step,
        column=CONV.bias.reshape(1, -1, 1, 1),
    )


def nearest_rows() -> onnx.ModelProto:
    """Scores taken from the row of the batch that is brightest, as a search over all rows would."""
    return around(
        """x = Convolve(image)
            brightness = ReduceMean<axes = [1, 2, 3], keepdims = 0>(image)
            index = ArgMax<axis = 0>(brightness)
            best = Gather<axis = 0>(x, index)
            both = Add(x, best)
            answer = Mul(both, half)""",
        half=0.5,
    )


@pytest.mark.parametrize("build", [quantised_over_the_batch, nearest_rows])
def test_batch_mates_that_leak_are_shown_one_draw_a_pass(
    build: Callable[[], onnx.ModelProto], tmp_path: Path
) -> None:
    segmenter = opened(build(), tmp_path)
    batch = noisy(6)
    alone = np.concatenate([segmenter(batch[i : i + 1]) for i in range(6)])
    assert not np.array_equal(segmenter(batch), alone), "the trap must be one"
    single, many = (
        certify(segmenter, PICTURE, Gaussian(0.1), n=40, seed=2, batch_size=b) for b in (1, 6)
    )
    assert np.array_equal(single.tally.hits, many.tally.hits)
    assert any("one draw per pass" in note for note in many.notes)


@pytest.mark.parametrize("rows", [1, 4])
def test_leaking_rows_of_a_fixed_batch_never_depend_on_what_fills_it(
    rows: int, tmp_path: Path
) -> None:
    proto = quantised_over_the_batch()
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = rows
    segmenter = opened(proto, tmp_path)
    single, many = (
        certify(segmenter, PICTURE, Gaussian(0.1), n=40, seed=2, batch_size=b) for b in (1, 6)
    )
    assert np.array_equal(single.tally.hits, many.tally.hits)
