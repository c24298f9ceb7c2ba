"""A count under way comes back from its file with all that the tally will need."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from onnxcert.perturbation import Gaussian
from onnxcert.results import ResultStore
from onnxcert.results.checks import read_ints
from onnxcert.results.counts import read_count, write_count
from onnxcert.sampling import Count, Hits
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Selection

X = np.random.default_rng(0).random((2, 4, 5), dtype=np.float32)
DRAWS = Draws(Gaussian(0.3), 11, digest(X))
LOOKS = (12, 18, 30)


def count_to(done: int, selection: Selection, looks: tuple[int, ...]) -> Count:
    """A count of random labels, of which class 3 of 3 is no vote."""
    rng = np.random.default_rng(1)
    count = Count(DRAWS, 30, 8, selection, 3, looks, second=True)
    while count.done < done:
        size = min(done, count.next_stop) - count.done
        labels = rng.integers(0, 4, (size, 4, 5)).astype(np.uint8)
        labels[rng.random(size) < 0.5] = 0  # all components agree
        count.add(labels)
    return count


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("looks", [(), LOOKS])
@pytest.mark.parametrize("done", [0, 1, 7, 8, 12, 17, 20, 29])
def test_a_count_comes_back_as_it_was(
    tmp_path: Path, done: int, looks: tuple[int, ...], selection: Selection
) -> None:
    count = count_to(done, selection, looks)
    with h5py.File(tmp_path / "count.h5", "w") as file:
        write_count(file, count, {"provider": "a"})
    with h5py.File(tmp_path / "count.h5", "r") as file:
        back, runtime = read_count(file)
    assert runtime == {"provider": "a"}
    for name in (f.name for f in fields(Count)):
        old, new = getattr(count, name), getattr(back, name)
        if isinstance(old, Hits):
            assert (new.draws, new.counted, new.joint) == (old.draws, old.counted, old.joint)
            same(new.candidate, old.candidate)
            same(new.hits, old.hits)
        elif name == "path":
            assert len(old) == len(new)
            for a, b in zip(new, old, strict=True):
                same(a, b)
        elif isinstance(old, np.ndarray):
            same(new, old)
        else:
            assert new == old, name
    if looks and done == 20:
        assert count.nonfinite_path
        assert min(count.nonfinite_path) > 0
        assert count.runner_up is not None
        assert count.runner_up.any()
        assert count.hits is not None
        assert count.hits.joint > 0


def same(new: Any, old: Any) -> None:
    assert new.dtype == old.dtype
    np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize(
    "other",
    [
        {"looks": (12, 30)},
        {"looks": ()},
        {"second": False},
        {"n": 31, "looks": (12, 18, 31)},
        {"n0": 9},
        {"selection": "split"},
        {"classes": 4},
        {"draws": Draws(Gaussian(0.3), 12, digest(X))},
    ],
)
def test_a_count_goes_on_only_where_just_the_same_is_asked(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {
        "draws": DRAWS,
        "n": 30,
        "n0": 8,
        "selection": "pooled",
        "classes": 3,
        "looks": LOOKS,
        "second": True,
    }
    store = ResultStore(tmp_path)
    with store.exclusive():
        store.checkpoint("x", count_to(20, "pooled", LOOKS), {"provider": "a"})
        assert store.resume(Count(**asked), "x", {"provider": "a"}).done == 20
        assert store.resume(Count(**asked), "x", {"provider": "b"}).done == 0
        fresh = Count(**{**asked, **other})
        assert store.resume(fresh, "x", {"provider": "a"}) is fresh


@pytest.mark.parametrize("text", ["[1, -2]", '[1, "2"]', "[1.5]", "[null]", '{"1": 2}', "3"])
def test_looks_that_are_no_whole_numbers_are_refused(text: str) -> None:
    assert read_ints({"looks": "[1, 20]"}, "looks") == (1, 20)
    with pytest.raises(ValueError, match="looks must be"):
        read_ints({"looks": text}, "looks")


@pytest.mark.parametrize("law_error", [0.0, 1.25e-7])
def test_the_law_error_is_kept_and_another_one_starts_again(
    tmp_path: Path, law_error: float
) -> None:
    fresh = Count(DRAWS, 20, 5, "pooled", 3, law_error=law_error)
    fresh.add(np.zeros((3, 4), np.int64))
    store = ResultStore(tmp_path / "out")
    with store.exclusive():
        store.begin({}, seed=1, random_seed=1)
        store.checkpoint("x", fresh, {})
    same = Count(DRAWS, 20, 5, "pooled", 3, law_error=law_error)
    kept = store.resume(same, "x", {})
    assert (kept.done, kept.law_error) == (3, law_error)
    other = Count(DRAWS, 20, 5, "pooled", 3, law_error=2e-7)
    assert store.resume(other, "x", {}) is other
