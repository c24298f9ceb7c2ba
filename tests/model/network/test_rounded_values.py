"""Quantised and half-precision networks are certified with their rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from convolution import CONV, PICTURE, around, noisy, opened
from zoo import Conv3

from onnxcert import Gaussian, OnnxSegmenter, certify


def rounded(values: np.ndarray, scale: float, zero: int, kind: str) -> np.ndarray:
    limits = np.iinfo(kind)
    steps = np.clip(np.rint(values / np.float32(scale)) + zero, limits.min, limits.max)
    quantised: np.ndarray = steps.astype(kind)
    return quantised


def quantised_scores(batch: np.ndarray) -> np.ndarray:
    """The function on pixels in steps of 1/50 with weights in steps of their own; float64."""
    pixels = (rounded(batch, 0.02, 100, "uint8").astype(np.float64) - 100) * np.float32(0.02)
    step = np.float32(np.abs(CONV.weight).max() / 127)
    weight = np.rint(CONV.weight / step) * np.float64(step)
    return Conv3(weight, CONV.bias).scores(pixels)


def qdq() -> onnx.ModelProto:
    """QuantizeLinear and DequantizeLinear around a float convolution."""
    step = np.float32(np.abs(CONV.weight).max() / 127)
    return around(
        """q = QuantizeLinear(image, scale, zero)
            x = DequantizeLinear(q, scale, zero)
            w = DequantizeLinear(steps, step)
            answer = Conv<pads = [1, 1, 1, 1]>(x, w, bias)""",
        steps=np.rint(CONV.weight / step).astype(np.int8),
        step=step,
        scale=0.02,
        zero=np.uint8(100),
    )


def qoperator(image: str = "float", channels: int | str = 3) -> onnx.ModelProto:
    """QLinearConv, whose scores are 8-bit steps again."""
    step = np.float32(np.abs(CONV.weight).max() / 127)
    shape = () if image == "float" else (1,)
    first = "q = QuantizeLinear(image, scale, zero)" if image == "float" else "q = Identity(image)"
    return around(
        f"""{first}
            x = QLinearConv<pads = [1, 1, 1, 1]>(
                q, scale, zero, steps, step, none, out_scale, out_zero, whole
            )
            answer = DequantizeLinear(x, out_scale, out_zero)""",
        image=f"{image}[batch, {channels}, height, width] image",
        scale=np.full(shape, 0.02),
        zero=np.full(shape, 100, np.uint8),
        steps=np.rint(CONV.weight / step).astype(np.int8),
        step=step,
        none=np.int8(0),
        out_scale=0.25,
        out_zero=np.uint8(128),
        whole=np.rint(CONV.bias / (np.float32(0.02) * step)).astype(np.int32),
    )


def test_a_model_with_rounded_values_is_certified_with_its_rounding(tmp_path: Path) -> None:
    segmenter = opened(qdq(), tmp_path)
    batch = noisy()
    # The runtime may fuse the pair into an integer convolution: close calls may fall otherwise.
    scores = np.sort(quantised_scores(batch), axis=1)
    clear = scores[:, -1] - scores[:, -2] > 0.05
    labels = quantised_scores(batch).argmax(axis=1)
    assert clear.mean() > 0.9
    assert np.array_equal(segmenter(batch)[clear], labels[clear])
    assert_batch_invariant(segmenter)


def test_an_integer_convolution_is_the_function_up_to_its_rounding(tmp_path: Path) -> None:
    segmenter = opened(qoperator(), tmp_path)
    batch = noisy()
    scores = np.sort(quantised_scores(batch), axis=1)
    clear = scores[:, -1] - scores[:, -2] > 0.5  # scores are rounded to quarters
    labels = quantised_scores(batch).argmax(axis=1)
    assert clear.mean() > 0.5
    assert np.array_equal(segmenter(batch)[clear], labels[clear])
    assert_batch_invariant(segmenter)


def test_an_integer_convolution_that_reads_an_input_without_a_shape(tmp_path: Path) -> None:
    # Its second input is a scale, not the weights: nothing about channels can be read from it.
    proto = qoperator("uint8", "c0")
    segmenter = opened(proto, tmp_path, value_range=(100, 150))
    assert segmenter(noisy()).shape == (7, 8, 6)


def assert_batch_invariant(segmenter: OnnxSegmenter) -> None:
    certificate = certify(segmenter, PICTURE, Gaussian(0.1), n=40, seed=2, batch_size=5)
    alone = certify(segmenter, PICTURE, Gaussian(0.1), n=40, seed=2, batch_size=1)
    assert np.array_equal(certificate.tally.hits, alone.tally.hits)
    assert certificate.notes == alone.notes


def test_a_half_precision_network_answers_in_half_precision(tmp_path: Path) -> None:
    proto = around(
        "answer = Convolve(image)",
        "float16[batch, 4, height, width] answer",
        "float16[batch, 3, height, width] image",
        weight=CONV.weight.astype(np.float16),
        bias=CONV.bias.astype(np.float16),
    )
    segmenter = opened(proto, tmp_path)
    batch = noisy()
    scores = np.sort(CONV.scores(batch), axis=1)
    clear = scores[:, -1] - scores[:, -2] > 0.05
    assert clear.mean() > 0.9
    assert np.array_equal(segmenter(batch)[clear], CONV.scores(batch).argmax(axis=1)[clear])
