"""Passes side by side: how many, of which inputs, and that no label depends on it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest

from onnxcert import OnnxSegmenter
from onnxcert.model.network.forward import Stopwatch
from onnxcert.model.runtime import session
from onnxcert.model.runtime.session import passes_at_once


def opened(proto: Any, folder: Path, **options: Any) -> OnnxSegmenter:
    path = graphs.save(proto, folder / "model.onnx")
    return OnnxSegmenter.open(path, device="cpu", **options)


def test_every_thread_has_a_pass_and_large_inputs_go_one_by_one() -> None:
    assert passes_at_once(1, 100) == 1
    assert passes_at_once(2, 3 * 1024 * 2048) == 2
    assert passes_at_once(2, 3 * 4096 * 4096) == 1
    for threads in range(1, 200):
        passes = passes_at_once(threads, 100)
        assert 1 <= passes <= threads
        assert passes * (threads // passes) <= threads


def test_passes_at_once_give_the_labels_of_one_after_the_other(tmp_path: Path) -> None:
    batch = np.random.default_rng(0).normal(0.5, 0.4, (24, 3, 16, 12)).astype(np.float32)
    proto = graphs.conv(5, contract=graphs.UNIT_RANGE)
    one, two = (opened(proto, tmp_path, threads=t) for t in (1, 2))
    expected = one(batch)
    two(batch[:1])
    assert (one.at_once, two.at_once) == (1, 2)
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(two, batch[:, None]))
    assert np.array_equal(np.concatenate(found), expected)


def test_the_number_at_once_follows_the_size_of_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LARGE_INPUT", 3 * 10 * 10)
    model = opened(graphs.threshold(), tmp_path, threads=2)
    small, large = (np.full((1, 3, side, side), 0.7, np.float32) for side in (10, 11))
    for picture, expected in ((small, 2), (large, 1), (small, 2)):
        assert (model(picture) == 1).all()
        assert model.at_once == expected
        assert model.session.threads == 2


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3, 19, 300])
def test_the_vote_is_the_first_of_the_highest_scores(tmp_path: Path, classes: int) -> None:
    # Whole scores over a few values: ties everywhere.
    rng = np.random.default_rng(classes)
    weight = rng.integers(-1, 2, (classes, 3, 1, 1))
    model = opened(graphs.conv(classes, weight=weight, contract=graphs.UNIT_RANGE), tmp_path)
    batch = rng.integers(-1, 3, (2, 3, 9, 7)).astype(np.float32)
    scores = np.einsum("kc,bchw->bkhw", weight[:, :, 0, 0], batch)
    assert (np.sort(scores, axis=1)[:, -1] == np.sort(scores, axis=1)[:, -2]).any()
    assert np.array_equal(model(batch), scores.argmax(axis=1))


def test_the_stopwatch_counts_passes_at_once_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("onnxcert.model.network.forward.time.perf_counter", lambda: now)
    watch = Stopwatch()
    watch.__enter__()
    now = 2.0
    with watch:
        now = 3.0
    assert watch.seconds == 0.0
    now = 5.0
    watch.__exit__(None, None, None)
    assert watch.seconds == 5.0
    with watch:
        now = 6.0
    assert watch.seconds == 6.0
