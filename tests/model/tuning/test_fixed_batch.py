"""Graphs that say they take any number of rows and take one: each row is shown to them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import pytest
from onnx import helper

from onnxcert import Gaussian, OnnxSegmenter, certify

Array = np.ndarray[Any, Any]
FREE = ["batch", 3, "height", "width"]
WEIGHT = np.random.default_rng(3).normal(0, 1, (3, 3, 1, 1)).astype(np.float32)
WIDER = np.concatenate([WEIGHT, np.zeros((3, 1, 1, 1), np.float32)], axis=1)
SIZE = (6, 8)

NODES: Mapping[str, Sequence[str]] = {
    "the input reshaped": ["Reshape image one > x", "Conv x w > scores"],
    "the scores reshaped": ["Conv image w > x", "Reshape x one > scores"],
    "one long row": ["Reshape image long > x", "Reshape x one > y", "Conv y w > scores"],
    "no batch axis inside": ["Squeeze image none > x", "Unsqueeze x none > y", "Conv y w > scores"],
    "a constant row beside": ["Concat image row > x axis=1", "Conv x wider > scores"],
    "a constant row made": [
        "Expand nil shape > r",
        "Concat image r > x axis=1",
        "Conv x wider > scores",
    ],
    "the first row picked": ["Gather image none > x axis=0", "Conv x w > scores"],
    "the first row cut out": ["Slice image none first none > x", "Conv x w > scores"],
    "a constant row behind": [
        "Concat image rows > y axis=0",
        "Slice y none first none > x",
        "Conv x w > scores",
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
    nodes = []
    for i, line in enumerate(NODES[form]):
        left, right = line.split(" > ")
        operator, *inputs = left.split()
        output, *attributes = right.split()
        said = {name: int(value) for name, value in (a.split("=") for a in attributes)}
        nodes.append(helper.make_node(operator, inputs, [output], name=f"node_{i}", **said))
    read = {name for node in nodes for name in node.input}
    constants = {name: value for name, value in CONSTANTS.items() if name in read}
    return graphs.model(
        nodes,
        inputs={"image": FREE},
        outputs={"scores": FREE},
        constants=constants,
        contract=graphs.UNIT_RANGE,
    )


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
