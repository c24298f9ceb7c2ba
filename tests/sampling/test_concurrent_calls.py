"""A model that may be called from several threads at once: the same tally, no matter how many."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from waiting import LIMIT

from onnxcert.errors import ModelError
from onnxcert.perturbation import Gaussian
from onnxcert.sampling import Count, run_draws, sample
from onnxcert.sampling.draws import Draws, digest

X = np.random.default_rng(3).random((3, 5, 4), dtype=np.float32)
DRAWS = Draws(Gaussian(0.4), 5, digest(X))


class Model:
    """Three classes by brightness; notes what it is shown, and how many calls run at once."""

    def __init__(self, at_once: int, meet: threading.Barrier | None = None) -> None:
        self.at_once = at_once
        self.meet = meet
        self.calls = self.running = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, batch: Any) -> Any:
        with self.lock:
            self.calls += 1
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            if self.meet is not None:
                self.meet.wait(timeout=LIMIT)
            return np.digitize(batch.mean(axis=1), [0.4, 0.6])
        finally:
            with self.lock:
                self.running -= 1


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
@pytest.mark.parametrize("at_once", [2, 3, 7])
def test_the_labels_and_their_order_do_not_depend_on_it(at_once: int, batch_size: int) -> None:
    alone = np.concatenate(list(run_draws(Model(1), X, DRAWS, range(4, 45), batch_size)))
    model = Model(at_once)
    found = list(run_draws(model, X, DRAWS, range(4, 45), batch_size))
    assert np.array_equal(np.concatenate(found), alone)
    assert [len(labels) for labels in found[:-1]] == [batch_size] * (len(found) - 1)
    assert model.calls == len(found)
    assert model.most <= at_once


def test_the_tally_with_looks_and_selection_is_the_same() -> None:
    tallies = [
        sample(Model(k), X, Count(DRAWS, 60, 10, "split", 3, looks=(20, 60)), batch_size=4)
        for k in (1, 4)
    ]
    assert np.array_equal(tallies[0].hits, tallies[1].hits)
    assert np.array_equal(tallies[0].path, tallies[1].path)
    assert np.array_equal(tallies[0].single, tallies[1].single)


def test_calls_really_run_at_once() -> None:
    model = Model(3, threading.Barrier(3))  # nobody leaves before three are inside
    assert len(list(run_draws(model, X, DRAWS, range(12), 2))) == 6
    assert model.most == 3


def test_a_model_that_says_nothing_is_never_called_twice_at_once() -> None:
    model = Model(1)
    del model.at_once
    list(run_draws(model, X, DRAWS, range(40), 1))
    assert model.most == 1


def test_a_failing_pass_ends_the_run_and_its_threads() -> None:
    def failing(_batch: Any) -> Any:
        raise ModelError("no.")

    failing.at_once = 4  # type: ignore[attr-defined]
    before = threading.active_count()
    with pytest.raises(ModelError, match=r"no\."):
        list(run_draws(failing, X, DRAWS, range(40), 1))
    assert threading.active_count() == before


def test_who_stops_asking_stops_the_model() -> None:
    model = Model(3)
    answers = run_draws(model, X, DRAWS, range(1000), 1)
    next(answers)
    answers.close()
    done = model.calls
    assert done <= 4
    assert model.running == 0
