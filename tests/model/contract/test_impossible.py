"""A contract that cannot be meant is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import pytest
from convolution import CPU, noisy, simple

from onnxcert import OnnxSegmenter
from onnxcert.errors import ModelError

MEANT_BY_NOBODY = {
    "deep": "[" * 100_000,
    "huge range": f'{{"version": 1, "value_range": [0, {10**400}]}}',
    "huge sigma": f'{{"version": 1, "trained_sigma": {10**400}}}',
    "nan threshold": '{"version": 1, "value_range": [0, 1], "threshold": NaN}',
    "huge batch": '{"version": 1, "value_range": [0, 1], "batch": 1000000000000}',
    "huge classes": f'{{"version": 1, "value_range": [0, 1], "classes": {2**70}}}',
    "unnamed": '{"version": 1, "value_range": [0, 1], "input": ""}',
}


@pytest.mark.parametrize("text", MEANT_BY_NOBODY.values(), ids=MEANT_BY_NOBODY)
def test_a_contract_that_cannot_be_meant_is_one_sentence(text: str, tmp_path: Path) -> None:
    path = graphs.save(simple(contract=text), tmp_path / "model.onnx")
    with pytest.raises(ModelError):
        OnnxSegmenter.open(path, **CPU)(noisy())


@pytest.mark.parametrize("flag", ["--input", "--output"])
def test_an_empty_name_is_refused(flag: str, tmp_path: Path, onnxcert: Any) -> None:
    path = graphs.save(simple(), tmp_path / "model.onnx")
    done = onnxcert("inspect", path, "--range", "0,1", flag, "")
    assert done.status == 2
