"""Votes must be independent: a model whose rows see each other is shown one draw at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import numpy.typing as npt
import onnx
import pytest

import onnxcert
from onnxcert import Gaussian, OnnxSegmenter
from onnxcert.errors import ModelError
from onnxcert.model.tuning.batch_invariance import (
    LEAK_WARNING,
    check_batch_invariance,
    is_batch_dependent,
)
from onnxcert.sampling import as_segmenter
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Tally

Array = npt.NDArray[Any]
NOISE = Gaussian(0.3)
LEAKING: dict[str, Callable[..., onnx.ModelProto]] = {
    "batch mean": graphs.batch_mates_leak,
    "quantised over the batch": graphs.dynamically_quantised,
}


def picture() -> Array:
    return np.random.default_rng(2).uniform(0, 1, (3, 10, 10)).astype(np.float32)


def same(a: Tally, b: Tally) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("candidate", "hits", "single")
    )


@pytest.mark.parametrize("name", LEAKING)
def test_the_trap_is_one(tmp_path: Path, name: str) -> None:
    segment = OnnxSegmenter.open(graphs.save(LEAKING[name](), tmp_path / "m.onnx"), threads=1)
    batch = np.random.default_rng(0).normal(0.5, 0.3, (6, 3, 10, 10)).astype(np.float32)
    alone = np.concatenate([segment(batch[i : i + 1]) for i in range(6)])
    assert not np.array_equal(segment(batch), alone)


@pytest.mark.parametrize("name", LEAKING)
@pytest.mark.parametrize("rows", ["free", 4], ids=["free batch", "fixed batch"])
@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_model_that_lets_batch_mates_leak_runs_one_draw_per_pass(
    tmp_path: Path, name: str, rows: int | str, batch_size: int
) -> None:
    x = picture()
    path = graphs.save(LEAKING[name](batch=rows), tmp_path / "model.onnx")
    certificate = onnxcert.certify(
        path, x, NOISE, n=60, n0=7, seed=4, batch_size=batch_size, threads=1
    )
    assert any("one draw per pass" in note for note in certificate.notes)
    # Counted again by hand, each draw alone.
    alone = OnnxSegmenter.open(graphs.save(LEAKING[name](), tmp_path / "free.onnx"), threads=1)
    draws = Draws(NOISE, 4, digest(x))
    labels = []
    for i in range(60):
        noisy = np.empty((1, *x.shape), np.float32)
        draws.write(x, range(i, i + 1), noisy)
        labels.append(alone(noisy)[0])
    votes = np.stack([(np.stack(labels[:7]) == c).sum(axis=0) for c in range(3)])
    candidate = votes.argmax(axis=0)
    assert np.array_equal(certificate.tally.candidate, candidate)
    assert np.array_equal(certificate.tally.hits, (np.stack(labels) == candidate).sum(axis=0))
    assert np.array_equal(certificate.tally.single, labels[0])


AFTERWARDS = 8  # passes after a count, which show whether a function kept state


def test_a_sound_model_is_not_slowed_down(tmp_path: Path) -> None:
    seen: list[int] = []
    segment = OnnxSegmenter.open(
        graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx"), threads=1
    )

    def recording(batch: Array) -> Array:
        seen.append(len(batch))
        return segment(batch)

    certificate = onnxcert.certify(recording, picture(), NOISE, classes=3, batch_size=5, n0=10)
    assert not any("one draw per pass" in note for note in certificate.notes)
    del seen[-AFTERWARDS:]
    # Twenty batches, and beside them the draws that are checked, alone.
    (checked,) = (int(n) for n in re.findall("leak check ([0-9]+) draws", certificate.statement()))
    assert sorted(seen[-20 - checked :]) == [1] * checked + [5] * 20
    assert 0 < checked < 50


class Fickle:
    """Answers as if it threw dice."""

    classes = 2

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __call__(self, batch: Array) -> Array:
        return self.rng.integers(0, 2, (len(batch), *batch.shape[2:]))


class Tired(Fickle):
    """Answers by how often it was asked, the same for the whole batch."""

    asked = 0

    def __call__(self, batch: Array) -> Array:
        self.asked += 1
        return np.full((len(batch), *batch.shape[2:]), self.asked % 2)


class Placed(Fickle):
    """Adds a class in all rows but the first: repeatable, and not to be batched."""

    def __call__(self, batch: Array) -> Array:
        labels = (batch[:, 0] > 0.5).astype(np.int64)
        labels[1:] = 1 - labels[1:]
        return labels


@pytest.mark.parametrize("model", [Fickle, Tired])
def test_a_model_that_answers_differently_each_time_is_refused(model: type[Fickle]) -> None:
    with pytest.raises(ModelError, match="different outputs for the same input"):
        onnxcert.certify(model(), picture(), NOISE, seed=0)


def test_a_model_whose_answer_depends_on_the_row_gives_the_tally_of_the_first_row() -> None:
    batched = onnxcert.certify(Placed(), picture(), NOISE, seed=0, batch_size=7)
    alone = onnxcert.certify(Placed(), picture(), NOISE, seed=0, batch_size=1)
    assert same(batched.tally, alone.tally)
    assert any("one draw per pass" in note for note in batched.notes)


@pytest.mark.parametrize("mixes", [False, True])
def test_a_callable_that_declares_that_it_mixes_draws_runs_them_one_by_one(mixes: bool) -> None:
    class Sound:
        mixes_draws = mixes

        def __call__(self, batch: Array) -> npt.NDArray[np.int32]:
            return (batch[:, 0] > 0.5).astype(np.int32)

    x = picture()
    found = check_batch_invariance(
        as_segmenter(Sound()), x, Draws(NOISE, 4, digest(x)), batch_size=5
    )
    assert found == ((1, LEAK_WARNING) if mixes else (5, ""))


def test_the_probe_looks_at_no_draw_that_is_counted() -> None:
    seen: list[Array] = []

    def recording(batch: Array) -> Array:
        seen.append(batch.copy())
        return (batch[:, 0] > 0.5).astype(np.uint8)

    asked: dict[str, Any] = {"classes": 2, "seed": 0, "batch_size": 10, "leak_check": 0}
    onnxcert.certify(recording, picture(), NOISE, **asked)
    rows = np.concatenate(seen[:-AFTERWARDS])
    counted, before = rows[-100:], rows[:-100]
    assert len({row.tobytes() for row in counted}) == 100
    assert not {row.tobytes() for row in counted} & {row.tobytes() for row in before}


def test_scores_of_a_segmentation_show_a_leak_that_no_label_shows(tmp_path: Path) -> None:
    """A tenth of the batch's mean is taken from scores whose order that never changes."""
    bias = np.array([0.0, 50.0, -50.0], np.float32)
    proto = graphs.conv(
        bias=bias,
        contract=graphs.UNIT_RANGE,
        tail="mean = ReduceMean<axes = [0]>(raw) taken = Mul(mean, share) scores = Sub(raw, taken)",
        share=0.1,
    )
    segment = OnnxSegmenter.open(graphs.save(proto, tmp_path / "model.onnx"), threads=1)
    x = picture()
    draws = Draws(NOISE, 4, digest(x))
    batch = np.random.default_rng(0).normal(0.5, 0.3, (32, *x.shape)).astype(np.float32)
    assert (segment(batch) == 1).all()
    for batch_size in (2, 3, 8, 20):
        assert is_batch_dependent(segment, x, draws, batch_size=batch_size)
    assert not is_batch_dependent(segment, x, draws, batch_size=1)
    plain = graphs.conv(bias=bias, contract=graphs.UNIT_RANGE)
    sound = OnnxSegmenter.open(graphs.save(plain, tmp_path / "sound.onnx"), threads=1)
    for batch_size in (2, 3, 8, 20):
        assert not is_batch_dependent(sound, x, draws, batch_size=batch_size)


@pytest.mark.parametrize("row", range(8))
@pytest.mark.parametrize("batch_size", [2, 4, 8])
def test_the_trial_looks_at_eight_rows_at_least_and_at_all_of_them(
    row: int, batch_size: int
) -> None:
    """One of the rows that are shown in batches leaks, whichever it is."""
    shown = 0

    def model(batch: Array) -> Array:
        nonlocal shown
        labels = np.zeros((len(batch), 4), np.uint8)
        if len(batch) > 1:
            if shown <= row < shown + len(batch):
                labels[row - shown] = 1
            shown += len(batch)
        return labels

    x = picture()
    draws = Draws(NOISE, 4, digest(x))
    assert is_batch_dependent(as_segmenter(model), x, draws, batch_size=batch_size)


def test_scores_are_those_behind_the_labels(tmp_path: Path) -> None:
    segment = OnnxSegmenter.open(
        graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "m.onnx"), threads=1
    )
    batch = np.random.default_rng(0).normal(0.5, 0.3, (3, 3, 10, 10)).astype(np.float32)
    np.testing.assert_array_equal(segment.scores(batch).argmax(axis=1), segment(batch))
