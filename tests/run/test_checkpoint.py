"""A kept count is gone on from only if it is one of the same draws by the same means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from records import without

from onnxcert import Gaussian, ResultStore
from onnxcert.errors import ParameterError
from onnxcert.sampling import Count, sample
from onnxcert.sampling.draws import Draws, digest

Array = npt.NDArray[Any]
RUNTIME = {"provider": "CPUExecutionProvider", "onnxruntime": "1.0"}
X = np.random.default_rng(0).uniform(0, 1, (3, 5, 6)).astype(np.float32)
DRAWS = Draws(Gaussian(0.3), 7, digest(X))


class Model:
    """Counts the draws that it is shown."""

    def __init__(self) -> None:
        self.shown = 0

    def __call__(self, batch: Array) -> Array:
        self.shown += len(batch)
        return (batch[:, 0] > 0.5).astype(np.uint8) + (batch[:, 1] > 0.5)


class Killed(Exception):
    """Stands for the end of the process."""


def fresh(**changed: Any) -> Count:
    return Count(
        **{"draws": DRAWS, "n": 60, "n0": 9, "selection": "pooled", "classes": 3, **changed}
    )


def interrupted(store: ResultStore, at: int, count: Count, batch_size: int = 1) -> None:
    """Count up to draw `at`, keep the count, and be killed."""

    def on_batch(count: Count) -> None:
        if count.done >= at:
            store.checkpoint("x", count, RUNTIME)
            raise Killed

    with pytest.raises(Killed):
        sample(Model(), X, count, batch_size=batch_size, on_batch=on_batch)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    store = ResultStore(tmp_path)
    with store.exclusive():
        pass
    return store


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("at", [1, 5, 8, 9, 10, 30, 59])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_count_goes_on_where_it_was_kept(
    store: ResultStore, selection: Any, at: int, batch_size: int
) -> None:
    whole = sample(Model(), X, fresh(selection=selection))
    interrupted(store, at, fresh(selection=selection), batch_size)
    count = store.resume(fresh(selection=selection), "x", RUNTIME)
    assert count.done >= at
    model = Model()
    before = count.done
    tally = sample(model, X, count, batch_size=3)
    assert model.shown == count.total - before
    for name in ("candidate", "hits", "single"):
        assert np.array_equal(getattr(tally, name), getattr(whole, name))
    assert tally.hits.dtype == whole.hits.dtype
    assert tally.nonfinite == whole.nonfinite


@pytest.mark.parametrize(
    "other",
    [
        {"draws": Draws(Gaussian(0.3), 8, digest(X))},
        {"draws": Draws(Gaussian(0.31), 7, digest(X))},
        {"draws": Draws(Gaussian(0.3), 7, digest(X + 1))},
        {"draws": Draws(Gaussian(0.3), 7, digest(X), "cupy-philox")},
        {"n": 61},
        {"n0": 8},
        {"selection": "split"},
        {"classes": 4},
    ],
    ids=["seed", "sigma", "input", "generator", "n", "n0", "selection", "classes"],
)
def test_a_count_of_other_draws_is_not_gone_on_from(
    store: ResultStore, other: dict[str, Any]
) -> None:
    interrupted(store, 20, fresh())
    asked = fresh(**other)
    assert store.resume(asked, "x", RUNTIME) is asked
    assert asked.done == 0


@pytest.mark.parametrize(
    "runtime",
    [
        {**RUNTIME, "provider": "CUDAExecutionProvider"},
        {**RUNTIME, "onnxruntime": "2.0"},
        {**RUNTIME, "one_draw_per_pass": "True"},
        {},
    ],
    ids=["provider", "version", "one draw per pass", "nothing"],
)
def test_a_count_of_another_runtime_is_not_gone_on_from(
    store: ResultStore, runtime: dict[str, str]
) -> None:
    interrupted(store, 20, fresh())
    assert store.resume(fresh(), "x", runtime).done == 0
    assert store.resume(fresh(), "x", RUNTIME).done == 20


def damage() -> dict[str, Callable[[Path], object]]:
    def version(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file.attrs["encoding-version"] = 99

    return {
        "empty": lambda path: path.write_bytes(b""),
        "text": lambda path: path.write_text("20 draws"),
        "cut": lambda path: path.write_bytes(path.read_bytes()[:500]),
        "missing": lambda path: path.unlink(),
        "another version": version,
        "no candidate": without("candidate"),
    }


@pytest.mark.parametrize("kind", damage())
def test_a_damaged_count_is_counted_again(store: ResultStore, kind: str) -> None:
    interrupted(store, 20, fresh())
    damage()[kind](store.folder / "partial" / "x.h5")
    assert store.resume(fresh(), "x", RUNTIME).done == 0


def test_draws_of_a_generator_that_is_not_here_are_refused_and_not_imitated() -> None:
    foreign = replace(DRAWS, generator="cupy-philox")
    with pytest.raises(ParameterError, match=r"cupy-philox.*never mixed"):
        foreign.write(X, range(1), np.empty((1, *X.shape), np.float32))
