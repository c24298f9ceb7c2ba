"""A number of rows that an exporter wrote into the graph is freed only where the graph runs so."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from convolution import around, is_the_function, opened

from onnxcert import OnnxSegmenter


def fixed_rows(segmenter: OnnxSegmenter) -> int | str:
    """Rows that the session takes: a number, or a symbol where they are free."""
    rows: int | str = segmenter.session.runtime.get_inputs()[0].shape[0]
    return rows


def baked(kind: str, rows: int) -> onnx.ModelProto:
    """A graph of `rows` fixed rows, with the ways in which exporters write them into it."""
    parts = ", ".join(f"part{i}" for i in range(rows))
    nodes = {
        "free": "answer = Identity(x)",
        "reshape": "answer = Reshape(x, whole)",
        "flattened": "flat = Reshape(x, rows) answer = Reshape(flat, whole)",
        "resize": 'answer = Resize<mode = "linear">(x, "", "", whole)',
        # x - mean over the batch + mean: nothing, for one row only
        "mean of one": """
            mean = ReduceMean<axes = [0]>(x)
            left = Mul(x, half)
            right = Mul(mean, half)
            answer = Add(left, right)
        """,
        "split": f"{parts} = Split<axis = 0>(x) answer = Concat<axis = 0>({parts})",
    }[kind]
    return around(
        f"x = Convolve(image) {nodes}",
        f"float[{rows}, 4, 8, 6] answer",
        f"float[{rows}, 3, 8, 6] image",
        whole=[rows, 4, 8, 6],
        rows=[rows, 4, -1],
        half=0.5,
    )


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("kind", ["free", "reshape", "flattened", "resize", "split"])
def test_a_fixed_batch_is_freed_only_if_the_graph_runs_so(
    kind: str, rows: int, tmp_path: Path
) -> None:
    segmenter = opened(baked(kind, rows), tmp_path)
    is_the_function(segmenter)
    # Split into one part is no split at all.
    free = kind == "free" or (kind, rows) == ("split", 1)
    assert fixed_rows(segmenter) == ("batch" if free else rows)


def test_a_batch_that_runs_when_freed_but_answers_otherwise_stays_fixed(tmp_path: Path) -> None:
    segmenter = opened(baked("mean of one", 1), tmp_path)
    is_the_function(segmenter)
    assert fixed_rows(segmenter) == 1
