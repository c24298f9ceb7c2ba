"""Counting under looks: the path is the hits at just the looks, however the draws are run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from recording import Recording, Stop, count_until, thirds

from onnxcert.errors import ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.sampling import Count, sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Ended, Selection, Tally

X = np.random.default_rng(0).random((2, 4, 5), dtype=np.float32)
DRAWS = Draws(Gaussian(0.3), 11, digest(X))
N, N0 = 40, 7


def votes_for(candidate: np.ndarray, labels: np.ndarray, look: int, selection: Selection) -> Any:
    first = N0 if selection == "split" else 0
    return (labels[first : first + look] == candidate).sum(axis=0)


@pytest.mark.slow
@given(
    looks=st.sets(st.integers(N0, N - 1), max_size=5).map(lambda s: (*sorted(s), N)),
    selection=st.sampled_from(["pooled", "split"]),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    stop_after=st.integers(1, 9),
)
@examples(60)
def test_the_path_is_a_recount_at_each_look_for_any_batch_size_and_after_any_stop(
    looks: tuple[int, ...], selection: Selection, sizes: list[int], stop_after: int
) -> None:
    model = Recording()
    whole = sample(model, X, Count(DRAWS, N, N0, selection, 3, looks))
    assert whole.looks == looks
    assert whole.path is not None
    for look, hits in zip(looks, whole.path, strict=True):
        expected = votes_for(whole.candidate, model.labels, look, selection)
        np.testing.assert_array_equal(hits, expected)
    plain = sample(thirds, X, Count(DRAWS, N, N0, selection, 3))
    np.testing.assert_array_equal(whole.hits, plain.hits)
    count = Count(DRAWS, N, N0, selection, 3, looks)
    for size in sizes:
        count_until(thirds, X, count, size, stop_after)
    again = sample(thirds, X, count, batch_size=sizes[-1])
    np.testing.assert_array_equal(again.path, whole.path)  # type: ignore[arg-type]
    assert (again.looks, again.ended, again.nonfinite) == (looks, "", whole.nonfinite)


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_a_look_may_end_the_count(selection: Selection, batch_size: int) -> None:
    looks, seen = (10, 20, 30, N), []
    model = Recording()

    def at_look(tally: Tally) -> Ended:
        seen.append(tally.n)
        assert tally.looks == looks[: len(seen)]
        return "until" if tally.n == 20 else ""

    count = Count(DRAWS, N, N0, selection, 3, looks)
    tally = sample(model, X, count, batch_size=batch_size, on_look=at_look)
    assert seen == [10, 20]
    assert (tally.n, tally.looks, tally.ended) == (20, (10, 20), "until")
    assert len(model.inputs) == 20 + (N0 if selection == "split" else 0)
    np.testing.assert_array_equal(
        tally.hits, votes_for(tally.candidate, model.labels, 20, selection)
    )
    # Draws counted since a look are no part of the tally at it.
    count.add(thirds(np.stack([X] * 5)))
    np.testing.assert_array_equal(count.tally_at_last_look("interrupted").hits, tally.hits)


def test_before_the_first_look_there_is_no_tally() -> None:
    count = Count(DRAWS, N, N0, "pooled", 3, (20, N))
    count.add(thirds(np.stack([X] * N0)))
    with pytest.raises(ParameterError, match="a look was expected, got 7 draws"):
        count.tally_at_last_look("interrupted")


def test_votes_withheld_after_the_last_look_are_not_counted_to_it() -> None:
    def model(batch: np.ndarray) -> np.ndarray:
        return np.full((len(batch), 2), 3, np.uint8)

    count = Count(DRAWS, N, N0, "pooled", 3, (20, N))
    tally = sample(model, X, count, batch_size=4, on_look=lambda _: "time")
    assert tally.nonfinite == 40
    assert count.nonfinite_path == [40]
    count.add(model(np.stack([X] * 5)))
    assert count.nonfinite == 50
    assert count.tally_at_last_look("interrupted").nonfinite == 40


@pytest.mark.parametrize(
    ("looks", "selection"), [((5, N), "pooled"), ((10, 30), "pooled"), ((10, 50), "split")]
)
def test_looks_before_the_candidate_or_that_do_not_end_at_n_are_refused(
    looks: tuple[int, ...], selection: Selection
) -> None:
    with pytest.raises(ParameterError, match="looks must lie between n0 7 and n 40"):
        Count(DRAWS, N, N0, selection, 3, looks)
    if looks == (5, N):
        assert Count(DRAWS, N, N0, "split", 3, looks).next_stop == N0


# -- what the baselines need --------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 6, 300])
def test_joint_is_the_number_of_draws_that_agree_in_every_component(batch_size: int) -> None:
    rng = np.random.default_rng(2)
    answers = (rng.random((N0 + 300, 3)) < 0.2).astype(np.uint8)
    answers[:N0] = 0
    position = iter(range(len(answers)))

    def model(batch: np.ndarray) -> np.ndarray:
        return answers[[next(position) for _ in batch]]

    tally = sample(model, X, Count(DRAWS, 300, N0, "split", 2), batch_size=batch_size)
    joint = int((answers[N0:] == 0).all(axis=1).sum())
    assert tally.joint == joint
    assert 0 < joint < tally.hits.min()
    pooled = sample(thirds, X, Count(DRAWS, N, N0, "pooled", 3))
    assert pooled.joint is None


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_the_runner_up_has_the_second_most_votes(classes: int) -> None:
    model = Recording()
    count = Count(DRAWS, N, N, "pooled", classes, second=True)
    tally = sample(model, X, count, batch_size=8)
    counts = np.stack([(model.labels == c).sum(axis=0) for c in range(classes)])
    expected = np.sort(counts, axis=0)[-2] if classes > 1 else np.zeros_like(counts[0])
    np.testing.assert_array_equal(tally.runner_up, expected)  # type: ignore[arg-type]
    np.testing.assert_array_equal(tally.hits, counts.max(axis=0))
    assert sample(thirds, X, Count(DRAWS, N, N, "pooled", 3)).runner_up is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ([[5], [4]], "hits between the looks at 10 and 20"),
        ([[5], [16]], "hits between the looks at 10 and 20"),
        ([[11], [12]], "hits between the looks at 0 and 10"),
    ],
)
def test_a_path_that_no_votes_could_take_is_refused(path: list[list[int]], said: str) -> None:
    """Unsigned counters, so that a loss of votes is not a gain of many."""
    walked = np.array(path, np.uint8)
    zeros = np.zeros(1, np.uint8)
    with pytest.raises(ParameterError, match=said):
        Tally(zeros, walked[-1], zeros, 20, 5, "pooled", 3, 0, DRAWS, looks=(10, 20), path=walked)


def test_a_count_stopped_just_at_a_look_is_looked_at_when_it_goes_on() -> None:
    """The stop came before anybody looked: the look must not be lost."""
    count = Count(DRAWS, N, N0, "pooled", 3, (10, 20, N))

    def stop(so_far: Count) -> None:
        if so_far.done == 20:
            raise Stop

    with pytest.raises(Stop):
        sample(thirds, X, count, on_batch=stop)
    seen = []

    def at_look(tally: Tally) -> Ended:
        seen.append(tally.n)
        return "until"

    assert sample(thirds, X, count, on_look=at_look).n == 20
    assert seen == [20]


def test_joint_votes_are_those_of_all_draws_and_so_unknown_at_looks() -> None:
    looks = (10, 20, N)
    assert sample(thirds, X, Count(DRAWS, N, N0, "split", 3)).joint is not None
    for ended in ("", "until"):
        tally = sample(
            thirds, X, Count(DRAWS, N, N0, "split", 3, looks), on_look=lambda _, why=ended: why
        )
        assert tally.joint is None


@pytest.mark.parametrize(("first", "second"), [(9, 10), (11, 10), (21, 0)])
def test_a_runner_up_is_never_ahead_and_both_have_no_more_votes_than_were_cast(
    first: int, second: int
) -> None:
    zeros = np.zeros(1, np.uint8)

    def tally(first: int, second: int) -> Tally:
        hits, runner_up = np.array([first], np.uint8), np.array([second], np.uint8)
        return Tally(zeros, hits, zeros, 20, 20, "pooled", 3, 0, DRAWS, runner_up=runner_up)

    assert tally(11, 9).runner_up is not None
    with pytest.raises(ParameterError):
        tally(first, second)
