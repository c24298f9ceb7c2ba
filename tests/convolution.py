"""One convolution, built into small graphs of any form, and the labels that it must give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import onnx
import zoo
from graphs import Graph
from zoo import Conv3

from onnxcert import OnnxSegmenter

CPU = {"device": "cpu", "threads": 1}


FREE = ["batch", 3, "height", "width"]


CLASSES4 = ["batch", 4, "height", "width"]


CONV = Conv3.random(4, seed=58)


PICTURE = zoo.picture(8, 6, seed=5)


RANGE = {"value_range": (0.0, 1.0)}


def conv(g: Graph, value: str = "image", output: str = "") -> str:
    """The function's convolution."""
    weight, bias = g.constant(CONV.weight, np.float32), g.constant(CONV.bias, np.float32)
    return g.add("Conv", value, weight, bias, output=output, pads=[1] * 4)


def simple(**options: Any) -> onnx.ModelProto:
    """The function and nothing else."""
    g = Graph()
    conv(g, output="answer")
    return g.model({"image": ("float32", FREE)}, {"answer": ("float32", CLASSES4)}, **options)


def around(
    nodes: str,
    answer: str = "float[batch, 4, height, width] answer",
    image: str = f"{graphs.IMAGES} image",
    **constants: Any,
) -> onnx.ModelProto:
    """A graph in which `Convolve(x)` stands for the function's convolution."""
    nodes = re.sub(r"Convolve\((\w+)\)", r"Conv<pads = [1, 1, 1, 1]>(\1, weight, bias)", nodes)
    constants = {"weight": CONV.weight, "bias": CONV.bias, **constants}
    return graphs.model(f"({image}) => ({answer}) {{ {nodes} }}", **constants)


def opened(proto: onnx.ModelProto, folder: Path, **contract: Any) -> OnnxSegmenter:
    path = graphs.save(proto, folder / "model.onnx")
    return OnnxSegmenter.open(path, **CPU, **{**RANGE, **contract})


def noisy(n: int = 7, pixels: np.ndarray = PICTURE) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 0.1, (n, *pixels.shape))
    return (pixels + noise).astype(np.float32)


def is_the_function(segmenter: OnnxSegmenter) -> None:
    batch = noisy()
    assert np.array_equal(segmenter(batch), CONV.scores(batch).argmax(axis=1))
