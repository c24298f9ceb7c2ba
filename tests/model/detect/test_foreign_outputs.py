"""Answers in any form: right labels or a refusal, never wrong ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign_outputs import Foreign
from graphs import save

from onnxcert import OnnxSegmenter
from onnxcert.errors import OnnxcertError

FILES = 300
CPU = {"device": "cpu", "threads": 1}


def labels(file: Foreign, path: Path, pixels: Any) -> Any:
    """The labels of a file, with no more said than its range of values, or with its form said; or
    the sentence of the refusal."""
    reason = ""
    for given in ({}, file.given):
        try:
            model = OnnxSegmenter.open(path, value_range=(0.0, 1.0), **given, **CPU)
            return model(pixels)
        except OnnxcertError as error:
            reason = str(error)
    return reason


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, FILES, 100))
def test_a_foreign_form_gives_the_right_labels_or_is_refused(start: int, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in range(start, start + 100):
        file = Foreign.random(seed)
        path = save(file.proto(), tmp_path / "model.onnx")
        pixels = np.random.default_rng(seed).random((3, 3, *file.size), dtype=np.float32)
        found = labels(file, path, pixels)
        if isinstance(found, str):
            assert not file.plain, f"{file}: {found}"
            seen["refused"] += 1
            continue
        right, clear = file.right(pixels)
        assert found.shape == right.shape, file
        wrong = (found != right) & clear
        assert not wrong.any(), f"{file}: {wrong.mean():.0%} of the labels are wrong"
        seen["right"] += 1
    assert seen["right"] >= 50, seen
