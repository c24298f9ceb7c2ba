"""Graphs that say they take any number of rows and take one: each row is shown to them alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest

from onnxcert import Gaussian, OnnxSegmenter, certify

Array = np.ndarray[Any, Any]
WEIGHT = np.random.default_rng(3).normal(0, 1, (3, 3, 1, 1)).astype(np.float32)
WIDER = np.concatenate([WEIGHT, np.zeros((3, 1, 1, 1), np.float32)], axis=1)
SIZE = (6, 8)

NODES: Mapping[str, Sequence[str]] = {
    "the input reshaped": ["x = Reshape(image, one)", "scores = Conv(x, w)"],
    "the scores reshaped": ["x = Conv(image, w)", "scores = Reshape(x, one)"],
    "one long row": ["x = Reshape(image, long)", "y = Reshape(x, one)", "scores = Conv(y, w)"],
    "no batch axis inside": [
        "x = Squeeze(image, none)",
        "y = Unsqueeze(x, none)",
        "scores = Conv(y, w)",
    ],
    "a constant row beside": ["x = Concat<axis = 1>(image, row)", "scores = Conv(x, wider)"],
    "a constant row made": [
        "r = Expand(nil, shape)",
        "x = Concat<axis = 1>(image, r)",
        "scores = Conv(x, wider)",
    ],
    "the first row picked": ["x = Gather<axis = 0>(image, none)", "scores = Conv(x, w)"],
    "the first row cut out": ["x = Slice(image, none, first, none)", "scores = Conv(x, w)"],
    "a constant row behind": [
        "y = Concat<axis = 0>(image, rows)",
        "x = Slice(y, none, first, none)",
        "scores = Conv(x, w)",
    ],
}
CONSTANTS: Mapping[str, Array] = {
    "w": WEIGHT,
    "wider": WIDER,
    "one": np.array([1, 3, *SIZE]),
    "long": np.array([1, -1]),
    "none": np.array([0]),
    "first": np.array([1]),
    "row": np.zeros((1, 1, *SIZE), np.float32),
    "rows": np.zeros((1, 3, *SIZE), np.float32),
    "nil": np.zeros((1, 1, 1, 1), np.float32),
    "shape": np.array([1, 1, *SIZE]),
}


def model(form: str) -> onnx.ModelProto:
    nodes = "\n".join(NODES[form])
    read = {name: CONSTANTS[name] for name in re.findall(r"\w+", nodes) if name in CONSTANTS}
    text = f"({graphs.IMAGES} image) => ({graphs.IMAGES} scores) {{ {nodes} }}"
    return graphs.model(text, graphs.UNIT_RANGE, **read)


@pytest.mark.parametrize("form", NODES)
def test_votes_are_those_of_each_row_alone(form: str, tmp_path: Path) -> None:
    segment = OnnxSegmenter.open(graphs.save(model(form), tmp_path / "model.onnx"), threads=1)
    batch = np.random.default_rng(0).uniform(0, 1, (3, 3, *SIZE)).astype(np.float32)
    expected = np.einsum("bchw,kc->bkhw", batch, WEIGHT[:, :, 0, 0]).argmax(axis=1)
    assert np.array_equal(segment(batch), expected)
    assert segment.rows == 1
    free = graphs.save(graphs.conv(weight=WEIGHT, contract=graphs.UNIT_RANGE), tmp_path / "f.onnx")
    options: dict[str, Any] = {"n": 40, "n0": 5, "seed": 2}
    found, wanted = (
        certify(each, batch[0], Gaussian(0.1), batch_size=size, **options)
        for each, size in ((segment, 3), (OnnxSegmenter.open(free, threads=1), 4))
    )
    assert np.array_equal(found.tally.hits, wanted.tally.hits)
