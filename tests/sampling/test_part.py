"""Parts counted anywhere add up to the count of one process, and to nothing else."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from recording import thirds

from onnxcert.errors import ModelError, ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.sampling import Count, Part, count_part, sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Selection, Tally

X = np.random.default_rng(0).random((2, 4, 5), dtype=np.float32)
DRAWS = Draws(Gaussian(0.3), 11, digest(X))
N, N0, CLASSES = 40, 9, 3


def fresh(selection: Selection, looks: tuple[int, ...] = ()) -> Count:
    return Count(DRAWS, N, N0, selection, CLASSES, looks=looks, second=True)


def part_of(count: Count, stop: int, batch_size: int = 4) -> Part:
    """The next part of `count`, made by somebody who knows only what is sent."""
    indices = range(count.done, stop)
    candidate = None if count.hits is None else count.hits.candidate
    x, draws, indices, candidate = pickle.loads(pickle.dumps((X, DRAWS, indices, candidate)))
    part = count_part(
        thirds, x, draws, indices, classes=CLASSES, candidate=candidate, batch_size=batch_size
    )
    sent: Part = pickle.loads(pickle.dumps(part))
    return sent


def assert_same(a: Tally, b: Tally) -> None:
    assert a.looks == b.looks
    assert (a.n, a.n0, a.nonfinite, a.joint, a.draws) == (b.n, b.n0, b.nonfinite, b.joint, b.draws)
    for name in ("candidate", "hits", "single", "path", "runner_up"):
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None)
        if left is not None:
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)


@given(
    selection=st.sampled_from(["pooled", "split"]),
    cuts=st.lists(st.integers(1, N + N0 - 1), max_size=7),
    looks=st.sampled_from([(), (20, N), (15, 16, 30, N)]),
    alone=st.lists(st.booleans(), min_size=12, max_size=12),
    batch_size=st.integers(1, 9),
)
@examples(80)
def test_any_mixture_of_parts_and_own_passes_is_the_tally_of_one_process(
    selection: Selection,
    cuts: list[int],
    looks: tuple[int, ...],
    alone: list[bool],
    batch_size: int,
) -> None:
    whole = sample(thirds, X, fresh(selection, looks), batch_size=3)
    count = fresh(selection, looks)
    own = itertools.cycle(alone)
    while count.done < count.total:
        stop = min([c for c in cuts if c > count.done] + [count.next_stop])
        stop = min(stop, count.next_stop)
        if next(own):
            noisy = np.empty((stop - count.done, *X.shape), np.float32)
            DRAWS.write(X, range(count.done, stop), noisy)
            count.add(thirds(noisy))
        else:
            count.absorb(part_of(count, stop, batch_size))
    assert_same(count.tally(), whole)


def test_a_part_made_twice_is_the_same_part() -> None:
    """So that whoever dies may be replaced."""
    count = fresh("pooled")
    count.absorb(part_of(count, N0))
    one, two = part_of(count, 30), part_of(count, 30, batch_size=7)
    assert one.hits is not None
    assert two.hits is not None
    np.testing.assert_array_equal(one.hits.hits, two.hits.hits)
    np.testing.assert_array_equal(one.single, two.single)


def refused(count: Count, part: Part, match: str) -> None:
    done = count.done
    with pytest.raises((ParameterError, ModelError), match=match):
        count.absorb(part)
    assert count.done == done


def test_parts_that_do_not_follow_are_refused() -> None:
    count = fresh("pooled")
    first = part_of(count, 5)
    count.absorb(first)
    refused(count, first, "draws from 5 on")
    refused(count, replace(first, indices=range(6, 9)), "draws from 5 on")
    refused(count, replace(part_of(count, 8), draws=replace(DRAWS, seed=12)), "draws from 5 on")
    refused(count, part_of(count, N0 + 1), "cross the end of the selection")
    wrong = replace(part_of(count, N0), single=np.zeros((5, 4), np.uint8))
    refused(count, wrong, "same components")
    early = part_of(count, N0)
    count.absorb(part_of(count, N0))
    refused(count, replace(early, indices=range(N0, N0 + 4)), "candidates are selected")


def test_a_part_for_another_candidate_is_refused() -> None:
    count = fresh("pooled")
    count.absorb(part_of(count, N0))
    assert count.hits is not None
    other = (count.hits.candidate + 1) % CLASSES
    part = count_part(thirds, X, DRAWS, range(N0, 20), classes=CLASSES, candidate=other)
    refused(count, part, "same candidates")


def test_a_part_of_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least one draw"):
        count_part(thirds, X, DRAWS, range(3, 3), classes=CLASSES)


@pytest.mark.parametrize("rows", [300, 66_000])
def test_parts_of_many_draws_do_not_overflow(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Draws, "writer", lambda *_: lambda *_: None)  # nobody looks at the noise
    x = np.zeros(1, np.float32)
    draws = Draws(Gaussian(1.0), 1, digest(x))

    def yes(batch: np.ndarray) -> Any:
        return np.zeros((len(batch), 1), np.uint8)

    chosen = count_part(yes, x, draws, range(rows), classes=2, batch_size=1000)
    assert chosen.votes is not None
    assert chosen.votes.tolist() == [[rows], [0]]
    counted = count_part(
        yes, x, draws, range(rows), classes=2, candidate=np.zeros(1, np.uint8), batch_size=1000
    )
    assert counted.hits is not None
    assert counted.hits.hits.tolist() == [rows]
