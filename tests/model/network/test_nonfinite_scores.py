"""Scores that are not finite are no votes, whatever the form of the output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from convolution import around, opened

from onnxcert import Gaussian, certify


@pytest.mark.parametrize("form", ["logits", "probabilities", "sigmoid", "logit", "multilabel"])
def test_nan_is_no_vote_in_any_form(form: str, tmp_path: Path) -> None:
    # A square root that lost its `+ 1e-8`: NaN wherever noise makes red negative.
    channels = 1 if form in ("sigmoid", "logit") else 2
    last = {"probabilities": "Softmax<axis = 1>", "sigmoid": "Sigmoid", "multilabel": "Sigmoid"}
    proto = around(
        f"""red = Slice(image, zero, one, one)
            root = Sqrt(red)
            scores = Conv(root, weights)
            answer = {last.get(form, "Identity")}(scores)""",
        f"float[batch, {channels}, height, width] answer",
        weights=np.arange(1.0, channels + 1).reshape(channels, 1, 1, 1),
        zero=[0],
        one=[1],
    )
    segmenter = opened(proto, tmp_path, output_form=form)
    black = np.zeros((3, 8, 6), np.float32)
    certificate = certify(segmenter, black, Gaussian(0.1), n=60, seed=1)
    assert certificate.abstained == certificate.labels.size
    # About half the draws are negative; none of them may count for any class.
    assert int(certificate.tally.hits.max()) < 50
    labels = int(np.prod(certificate.labels.shape))
    assert 0.4 < certificate.tally.nonfinite / (60 * labels) < 0.6


def test_a_nan_in_a_float_label_map_is_no_vote(tmp_path: Path) -> None:
    proto = around(
        "red = Slice(image, zero, one, one) answer = Sqrt(red)",
        "float[batch, 1, height, width] answer",
        zero=[0],
        one=[1],
    )
    segmenter = opened(proto, tmp_path, output_form="labels", classes=3)
    pixels = np.zeros((1, 3, 1, 4), np.float32)
    pixels[0, 0, 0] = [-1, 0, 1, 16]  # NaN, class 0, class 1, and 4, which is no class
    assert segmenter(pixels)[0, 0].tolist() == [255, 0, 1, 255]
